//! Everything stops.

use std::time::Instant;

use super::leaving::Leaving;
use super::{ChildId, End};

/// Everything stops: who is left, and which code will be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stopping {
    pub(super) code: Code,
    pub(super) left: Vec<Leaving>,
    /// When the first signal came, if one did.
    pub(super) signalled: Option<Instant>,
}

/// Which code will be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// That of the child that served.
    Of(ChildId),
    /// This one.
    Is(u8),
}

impl Stopping {
    /// Takes a child off the list; false if it was not on it.
    pub(super) fn ended(&mut self, child: ChildId, end: End) -> bool {
        let before = self.left.len();
        self.left.retain(|leaving| leaving.child != child);
        if self.code == Code::Of(child) {
            self.code = Code::Is(end.exit_code());
        }
        self.left.len() < before
    }
}
