//! What a client can know about its connection before it sends.

/// The state of a silent connection, seen without taking anything from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing came: a request may be sent.
    Open,
    /// The server ended its stream.
    Eof,
    /// The server reset the connection.
    Reset,
    /// Bytes wait to be read.
    Bytes,
}
