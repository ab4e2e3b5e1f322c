//! What every part of a service shares.

#[cfg(feature = "restart")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
#[cfg(any(feature = "admin", feature = "restart"))]
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Blockings, Events, Shields};
use crate::budget::Deadlines;
use crate::part::Registry;
use crate::phase::Phase;
use crate::report::Panics;

/// Called on SIGHUP, where the user chose so.
pub(crate) type Reload = Arc<dyn Fn() + Send + Sync>;

/// What every part of a service shares. Written by the supervisor thread, read by everybody.
pub(crate) struct Shared {
    name: String,
    phase: AtomicU8,
    deadlines: OnceLock<Deadlines>,
    /// Cancelled when the stop begins.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the drain begins, and in a restart when the predecessor takes nothing new any more. Another one
    /// takes its place where that is taken back.
    draining: Mutex<CancellationToken>,
    /// Whether new work is for this process: not in a predecessor after the commit, nor in a successor before it.
    #[cfg(any(feature = "admin", feature = "restart"))]
    front: watch::Sender<bool>,
    /// Whether nobody else holds the sockets that this process inherited.
    #[cfg(feature = "restart")]
    alone: AtomicBool,
    /// Cancelled at the drain deadline, or when the drain is over.
    pub(crate) drain_over: CancellationToken,
    /// Cancelled at the finish deadline, or when the finish is over.
    pub(crate) finish_over: CancellationToken,
    /// Cancelled when everything is over.
    pub(crate) close_over: CancellationToken,
    /// Cancelled when the setup is to be dropped.
    pub(crate) start_abandoned: CancellationToken,
    events: Events,
    runtime: Handle,
    shields: Arc<Shields>,
    blocking: Blockings,
    panics: Mutex<Panics>,
    registry: Arc<Registry>,
    /// How many restarts have failed.
    restarts_failed: AtomicU64,
    /// What the setup chose for SIGHUP.
    reload: Mutex<Option<Reload>>,
    /// When each phase began.
    entered: Mutex<Vec<(Phase, Instant)>>,
}

impl Shared {
    pub(crate) fn new(name: String, events: Events, runtime: Handle) -> Shared {
        Shared {
            name,
            phase: AtomicU8::new(Phase::Starting as u8),
            deadlines: OnceLock::new(),
            stopping: CancellationToken::new(),
            draining: Mutex::new(CancellationToken::new()),
            #[cfg(any(feature = "admin", feature = "restart"))]
            front: watch::Sender::new(true),
            #[cfg(feature = "restart")]
            alone: AtomicBool::new(false),
            drain_over: CancellationToken::new(),
            finish_over: CancellationToken::new(),
            close_over: CancellationToken::new(),
            start_abandoned: CancellationToken::new(),
            events,
            runtime,
            shields: Arc::new(Shields::new()),
            blocking: Blockings::default(),
            panics: Mutex::new(Panics::default()),
            registry: Arc::default(),
            restarts_failed: AtomicU64::new(0),
            reload: Mutex::new(None),
            entered: Mutex::new(vec![(Phase::Starting, Instant::now())]),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::Acquire))
    }

    /// Publishes the phase. Only the supervisor thread calls this.
    pub(crate) fn publish(&self, phase: Phase, now: Instant, deadlines: Option<Deadlines>) {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner).push((phase, now));
        if let Some(deadlines) = deadlines {
            let _ = self.deadlines.set(deadlines);
        }
        self.phase.store(phase as u8, Ordering::Release);
        // Each token belongs to the moment after which what it guards is over, so that a phase that was
        // skipped does not leave anybody waiting.
        if phase >= Phase::LameDuck {
            self.stopping.cancel();
        }
        if phase >= Phase::Draining {
            self.draining().cancel();
        }
        if phase >= Phase::Finishing {
            self.drain_over.cancel();
        }
        if phase >= Phase::Closing {
            self.finish_over.cancel();
        }
        if phase >= Phase::Stopped {
            self.close_over.cancel();
        }
    }

    /// Cancelled when the drain begins.
    pub(crate) fn draining(&self) -> CancellationToken {
        self.draining.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether new work is for this process, now and from now on.
    #[cfg(feature = "admin")]
    pub(crate) fn front(&self) -> watch::Receiver<bool> {
        self.front.subscribe()
    }

    /// Says whether new work is for this process.
    #[cfg(feature = "restart")]
    pub(crate) fn set_front(&self, front: bool) {
        self.front.send_replace(front);
    }

    /// In a restart: new work is the successor's. What may end now is told so, as at the drain.
    #[cfg(feature = "restart")]
    pub(crate) fn pause(&self) {
        self.set_front(false);
        self.draining().cancel();
    }

    /// There is no successor after all. Only before the drain has begun.
    #[cfg(feature = "restart")]
    pub(crate) fn resume(&self) {
        let mut draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        if self.phase() < Phase::Draining && draining.is_cancelled() {
            *draining = CancellationToken::new();
        }
        drop(draining);
        self.set_front(true);
    }

    /// Whether nobody else holds the sockets that a predecessor handed to this process.
    #[cfg(feature = "restart")]
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire)
    }

    #[cfg(feature = "restart")]
    pub(crate) fn set_alone(&self) {
        self.alone.store(true, Ordering::Release);
    }

    /// The parts of the service.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Chooses what SIGHUP calls.
    pub(crate) fn set_reload(&self, reload: Reload) {
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner) = Some(reload);
    }

    /// What the setup chose for SIGHUP.
    pub(crate) fn reload(&self) -> Option<Reload> {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long each phase took, in order; the last one until `now`.
    pub(crate) fn phases(&self, now: Instant) -> Vec<(Phase, Duration)> {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ends = entered.iter().skip(1).map(|(_, at)| *at).chain([now]);
        let spans = entered.iter().zip(ends);
        spans.map(|((phase, at), end)| (*phase, end.saturating_duration_since(*at))).collect()
    }

    /// Whether the service was ready, ever.
    #[cfg(feature = "admin")]
    pub(crate) fn has_been_ready(&self) -> bool {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        entered.iter().any(|(phase, _)| *phase == Phase::Ready)
    }

    #[cfg(feature = "restart")]
    pub(crate) fn note_restart_failed(&self) {
        self.restarts_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many restarts have failed.
    pub(crate) fn restarts_failed(&self) -> u64 {
        self.restarts_failed.load(Ordering::Relaxed)
    }

    /// The deadlines, once the stop has begun.
    pub(crate) fn deadlines(&self) -> Option<Deadlines> {
        self.deadlines.get().copied()
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// The runtime that the service runs on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn shields(&self) -> &Arc<Shields> {
        &self.shields
    }

    /// The blocking work that runs now.
    pub(crate) fn blocking(&self) -> &Blockings {
        &self.blocking
    }

    /// Takes note of a handler's panic, for the report.
    pub(crate) fn note_panic(&self, text: String) {
        self.panics.lock().unwrap_or_else(PoisonError::into_inner).add(text);
    }

    pub(crate) fn panics(&self) -> Panics {
        self.panics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).field("phase", &self.phase()).finish()
    }
}

#[cfg(test)]
impl Shared {
    /// That of a service of no parts, on the runtime that runs the test.
    pub(crate) fn of_test() -> (Arc<Shared>, super::Inbox) {
        let (events, inbox) = Events::channel().expect("a descriptor");
        (Arc::new(Shared::new("test".to_owned(), events, Handle::current())), inbox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the tokens are cancelled: stopping, draining.
    fn told(shared: &Shared) -> [bool; 2] {
        [&shared.stopping, &shared.draining()].map(CancellationToken::is_cancelled)
    }

    #[tokio::test]
    async fn who_waits_for_the_stop_is_told_at_the_lame_duck_or_with_what_comes_in_its_place() {
        for (phase, expected) in [
            (Phase::Ready, [false, false]),
            (Phase::LameDuck, [true, false]),
            (Phase::Draining, [true, true]),
            (Phase::Closing, [true, true]),
        ] {
            let (shared, _inbox) = Shared::of_test();
            shared.publish(phase, Instant::now(), None);
            assert_eq!(told(&shared), expected, "{phase:?}");
        }
    }
}
