//! What the user chose.

use std::time::Duration;

use super::{Readiness, Sign};

/// What the user chose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// When a child counts as ready.
    pub(crate) ready: Readiness,
    /// How long it may take to become so.
    pub(crate) ready_within: Duration,
    /// How long a child may take to end once it was told to.
    pub(crate) grace: Duration,
}

impl Rules {
    pub(super) fn accept(&self, sign: Sign) -> bool {
        match self.ready {
            Readiness::Auto => match sign {
                Sign::Said | Sign::Lived => true,
                Sign::Answered => false,
            },
            Readiness::Said => sign == Sign::Said,
            Readiness::Answered => sign == Sign::Answered,
            Readiness::Lived(_) => sign == Sign::Lived,
        }
    }
}
