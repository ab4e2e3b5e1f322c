//! Where a part of the soak says how it stands, and learns that the time is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::part::Standing;

/// Shared by a part's thread and the one that shows how it goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lane {
    over: Arc<AtomicBool>,
    standing: Arc<Mutex<Standing>>,
}

impl Lane {
    /// Tells the part to come to its end.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn say(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
