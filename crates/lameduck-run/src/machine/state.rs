//! Where `lameduck run` stands.

use super::coming::Coming;
use super::leaving::Leaving;
use super::stopping::Stopping;
use super::{ChildId, End};

/// Where `lameduck run` stands.
///
/// ```text
/// Starting ──ready──► Serving ──replace──► Replacing ──ready──► Retiring ──old one gone──► Serving
///                        ▲                     │
///                        └──── new one fails ──┘        from each: a stop, or the end of the last child
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The first child is not ready yet.
    Starting(Coming),
    /// One child, which serves.
    Serving(ChildId),
    /// A new child is not ready yet.
    Replacing {
        old: Old,
        new: Coming,
    },
    /// One child serves, another was told to end: the old one, or a new one that was not ready in time.
    Retiring {
        serving: ChildId,
        leaving: Leaving,
        /// The one that leaves was replaced; else it failed.
        replaced: bool,
    },
    Stopping(Stopping),
    /// All is over.
    Over,
}

/// The old child of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Old {
    Serves(ChildId),
    /// It has ended by itself. If the new one fails too, this is the end that counts.
    Ended(End),
}
