//! Whether a source of work may take up something new: shut at a restart's commit, opened again where that comes to
//! nothing.
//!
//! Invariants:
//! 1. Nothing is taken up while it is shut: whoever enters and whoever shuts it settle in one atomic word who was first.
//! 2. It is empty once everybody who has entered has left.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

const SHUT: u32 = 1 << 31;

/// The gate of one timer or consumer. One task waits before it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// How many have entered, and `SHUT`.
    word: AtomicU32,
    turned: Notify,
}

impl Gate {
    /// Takes something up, or is going to look whether there is something. `false`: it is shut.
    pub(super) fn enter(&self) -> bool {
        let enter = |word| (word & SHUT == 0).then_some(word + 1);
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter).is_ok()
    }

    /// Has done with it. `true`: nothing is left, and it is shut.
    pub(super) fn leave(&self) -> bool {
        self.word.fetch_sub(1, Ordering::AcqRel) == SHUT + 1
    }

    /// Lets nobody in from now on.
    #[cfg(feature = "restart")]
    pub(super) fn shut(&self) {
        self.word.fetch_or(SHUT, Ordering::AcqRel);
    }

    /// Lets them in again.
    #[cfg(feature = "restart")]
    pub(super) fn open(&self) {
        self.word.fetch_and(!SHUT, Ordering::AcqRel);
        self.turned.notify_one();
    }

    /// Whether it is shut and nobody is within.
    #[cfg(feature = "restart")]
    pub(super) fn is_at_rest(&self) -> bool {
        self.word.load(Ordering::Acquire) == SHUT
    }

    /// Waits until it is open.
    pub(super) async fn opened(&self) {
        while self.word.load(Ordering::Acquire) & SHUT != 0 {
            self.turned.notified().await;
        }
    }
}
