//! What one thread runs now, published by it and read by the supervisor.
//!
//! Invariants:
//! 1. Only its own thread writes a slot, a few relaxed stores for each poll: no lock, no clock.
//! 2. A turn is what runs between two writes. A thread whose turn stays the same has not come back from it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Whom a turn belongs to: the address of its scope, only ever compared, and the key within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) scope: usize,
    pub(crate) key: u32,
}

impl Runs {
    /// What belongs to this scope alone.
    pub(crate) fn of<T: ?Sized>(scope: *const T, key: u32) -> Runs {
        Runs { scope: scope.cast::<()>().addr(), key }
    }
}

/// What one thread runs now.
#[derive(Debug)]
pub(crate) struct Slot {
    thread: i32,
    turns: AtomicU64,
    /// 0 for nothing that belongs to a service.
    scope: AtomicUsize,
    key: AtomicU32,
    /// It is a thread of the runtime that runs tasks.
    worker: AtomicBool,
    parked: AtomicBool,
}

/// The slots of all threads that run, whichever service they serve.
static SLOTS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());

/// One look at a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) thread: i32,
    pub(super) turns: u64,
    pub(super) runs: Option<Runs>,
    pub(super) worker: bool,
    pub(super) parked: bool,
}

impl Slot {
    /// The slot of the calling thread, which has none yet.
    pub(crate) fn register() -> Arc<Slot> {
        let slot = Arc::new(Slot {
            thread: this_thread(),
            turns: AtomicU64::new(0),
            scope: AtomicUsize::new(0),
            key: AtomicU32::new(0),
            worker: AtomicBool::new(false),
            parked: AtomicBool::new(false),
        });
        let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    /// A turn begins.
    #[inline]
    pub(crate) fn publish(&self, runs: Option<Runs>) {
        self.turn();
        self.key.store(runs.map_or(0, |runs| runs.key), Ordering::Relaxed);
        self.scope.store(runs.map_or(0, |runs| runs.scope), Ordering::Relaxed);
    }

    /// It is a thread of the runtime that runs tasks.
    pub(crate) fn is_worker(&self) {
        self.worker.store(true, Ordering::Relaxed);
    }

    /// It has nothing to run, or has again.
    pub(crate) fn park(&self, parked: bool) {
        self.turn();
        self.parked.store(parked, Ordering::Relaxed);
    }

    #[inline]
    fn turn(&self) {
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns.wrapping_add(1), Ordering::Relaxed);
    }

    fn look(&self) -> Seen {
        let scope = self.scope.load(Ordering::Relaxed);
        let key = self.key.load(Ordering::Relaxed);
        Seen {
            thread: self.thread,
            turns: self.turns.load(Ordering::Relaxed),
            runs: (scope != 0).then_some(Runs { scope, key }),
            worker: self.worker.load(Ordering::Relaxed),
            parked: self.parked.load(Ordering::Relaxed),
        }
    }
}

/// A look at every slot.
pub(super) fn look() -> Vec<Seen> {
    let slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.iter().filter_map(|slot| Some(slot.upgrade()?.look())).collect()
}

/// The id that the kernel knows the calling thread by; 0 where there is none.
pub(crate) fn this_thread() -> i32 {
    #[cfg(target_os = "linux")]
    return rustix::thread::gettid().as_raw_pid();
    #[cfg(not(target_os = "linux"))]
    0
}
