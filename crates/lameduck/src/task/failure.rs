//! How a run of a task failed, and what follows from it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::Outcome;

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Error(String),
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(message) => f.write_str(message),
            Failure::Panic(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl Failure {
    pub(super) fn panic(payload: &(dyn Any + Send)) -> Failure {
        Failure::Panic(crate::panic::message(payload))
    }
}

/// How a task ended: in order, or not.
pub(super) type Ended = Result<(), Failure>;

/// What to do after a failure.
#[derive(Debug)]
pub(super) enum Next {
    /// The task is over.
    End(Failure),
    GoOn,
    After(Duration),
}

/// Runs what the user gave, its making included, to its end or its panic.
pub(super) async fn caught<F>(make: impl FnOnce() -> F) -> Ended
where
    F: Future<Output: Outcome>,
{
    match AssertUnwindSafe(async { make().await.error() }).catch_unwind().await {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(Failure::Error(error)),
        Err(panic) => Err(Failure::panic(&*panic)),
    }
}
