//! How a connection ended, or didn't.

/// What came next on a connection on which nothing more is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The end of the stream: closed in order.
    Eof,
    /// A reset.
    Reset,
    /// Bytes, before anything else.
    Bytes(Vec<u8>),
    /// Nothing within the time.
    Open,
}
