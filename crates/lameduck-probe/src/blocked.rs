//! Why a case could not be run to its end.

use crate::server::StartError;

/// Something that stands in the way of a case, before it can say anything about the server's stop.
#[derive(Debug, thiserror::Error)]
pub enum Blocked {
    /// The server did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server, still unsignalled, did not do what the case begins with.
    #[error("before the signal, {0}")]
    Setup(String),
    /// The machine does not allow it.
    #[error("{0}")]
    Machine(String),
}

impl Blocked {
    pub(crate) fn setup(what: impl Into<String>) -> Self {
        Self::Setup(what.into())
    }
}
