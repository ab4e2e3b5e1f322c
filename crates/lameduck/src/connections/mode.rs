//! What a server does with its connections now.

/// What a server does with its connections now. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Serves them.
    Serving = 0,
    /// Serves them, but each HTTP/1.1 response says `Connection: close`.
    Goodbye = 1,
    /// Lets what is in flight end, and closes what is silent after the idle grace.
    Draining = 2,
    /// The deadline is over: 503 where no response head is out, else a cut.
    Cut = 3,
}

impl Mode {
    pub(crate) fn from_u8(number: u8) -> Mode {
        match number {
            0 => Mode::Serving,
            1 => Mode::Goodbye,
            2 => Mode::Draining,
            _ => Mode::Cut,
        }
    }
}
