//! What is worth telling.

use super::{ChildId, End, Sign, StopSignal};

/// What happened, as people and their log should hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A child is ready, and serves from now on.
    Ready(ChildId, Sign),
    /// A replacement has begun.
    Replacing {
        /// The child that serves.
        old: ChildId,
        /// The one that is to.
        new: ChildId,
    },
    /// The old child has ended, the new one serves.
    Replaced {
        /// The child that has ended.
        old: ChildId,
        /// How.
        end: End,
        /// The one that serves.
        new: ChildId,
    },
    /// The new child is none, and the old one serves on, if it still lives.
    ReplacementFailed {
        /// The child that failed.
        new: ChildId,
        /// How.
        why: Failure,
        /// The one that serves on.
        old: Option<ChildId>,
    },
    /// The child that failed has ended too.
    Gone(ChildId, End),
    /// Another replacement was asked for; it follows.
    Remembered,
    /// A replacement was asked for while everything stops.
    Refused,
    /// A child ended by itself.
    Ended(ChildId, End),
    /// The first child did not become ready.
    NotReady(ChildId),
    /// Everything stops.
    Stopping(StopSignal),
    /// Another such signal, which changes nothing.
    Repeated(StopSignal),
    /// The signal for the second time: what is left is killed.
    Forced(StopSignal),
    /// A child has not ended within the grace, and is killed.
    Overdue(ChildId),
    /// A child was killed and is still there.
    Unkillable(ChildId),
}

/// Why a replacement failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The new child has ended.
    Ended(End),
    /// It was not ready in time.
    NotReady,
}
