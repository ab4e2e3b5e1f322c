//! Why there is no whole response.

use std::fmt;

use lameduck_probe::Outcome;

/// Each way in which a request can end without a whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection: refused, unreachable, or no answer to the connect within its time.
    Refused(String),
    /// There was one, but not a byte of the request could be sent on it any more.
    Unsent,
    /// Sent, then a reset before the first byte of a response.
    Reset,
    /// Sent, then the end of the stream before the first byte of a response.
    Closed,
    /// The response began and did not end.
    Cut {
        /// By a reset, rather than by the end of the stream.
        reset: bool,
        /// What came of it, head and framing included.
        received: Vec<u8>,
    },
    /// No end within the limit.
    Hung {
        /// What came until then, head and framing included.
        received: Vec<u8>,
    },
    /// What came is no HTTP/1.1 response.
    Malformed(String),
    /// The client failed by itself: no port or descriptor left, say.
    Local(String),
}

impl Failure {
    /// The project's word for it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Refused(_) | Self::Unsent => Outcome::Refused,
            Self::Reset | Self::Closed => Outcome::Lost,
            Self::Cut { .. } => Outcome::Cut,
            Self::Hung { .. } => Outcome::Hung,
            Self::Malformed(_) | Self::Local(_) => Outcome::Bad,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unsent => {
                f.write_str("the connection ended before a byte of the request was sent")
            }
            Self::Reset => f.write_str("lost: reset without a byte of response"),
            Self::Closed => f.write_str("lost: closed without a byte of response"),
            Self::Cut { reset, received } => {
                let how = if *reset { "reset" } else { "end of stream" };
                write!(f, "cut: {how} after {} bytes of response", received.len())
            }
            Self::Hung { received } => {
                write!(f, "hung: no end of the response, {} bytes of it came", received.len())
            }
            Self::Malformed(what) => write!(f, "no HTTP response: {what}"),
            Self::Local(why) => write!(f, "the client itself failed: {why}"),
        }
    }
}

impl std::error::Error for Failure {}
