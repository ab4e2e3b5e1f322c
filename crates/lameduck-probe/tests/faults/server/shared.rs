//! What connections and the main thread know of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};

use crate::fault::Fault;

pub(super) struct Shared {
    fault: Option<Fault>,
    unready: AtomicBool,
    asked: AtomicBool,
    stop: watch::Sender<Option<Instant>>,
    deadline: watch::Sender<bool>,
    open: watch::Sender<usize>,
    served: AtomicUsize,
    one_by_one: Mutex<()>,
}

/// A connection that is waited for.
pub(super) struct Open(Arc<Shared>);

impl Open {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        shared.open.send_modify(|open| *open += 1);
        Self(Arc::clone(shared))
    }
}

impl std::ops::Deref for Open {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

impl Shared {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            unready: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            stop: watch::Sender::new(None),
            deadline: watch::Sender::new(false),
            open: watch::Sender::new(0),
            served: AtomicUsize::new(0),
            one_by_one: Mutex::new(()),
        }
    }

    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Whether it ends at its deadline whatever else is.
    pub(super) fn is_bounded(&self) -> bool {
        let unbounded = [
            Fault::NoDeadline,
            Fault::WaitsForHttp2,
            Fault::WaitsForHeads,
            Fault::WaitsForIdle,
            Fault::WaitsForSilent,
        ];
        !self.fault.is_some_and(|fault| unbounded.contains(&fault))
    }

    pub(super) fn unready(&self) {
        self.unready.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_unready(&self) -> bool {
        self.unready.load(Ordering::SeqCst)
    }

    /// More than once: the first question is the probe's own, whether it has started.
    pub(super) fn was_asked_for_readiness(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn asked_for_readiness(&self) {
        static FIRST: AtomicBool = AtomicBool::new(true);
        if !FIRST.swap(false, Ordering::SeqCst) {
            self.asked.store(true, Ordering::SeqCst);
        }
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(Some(Instant::now()));
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// How long it has been stopping.
    pub(super) fn stopped_for(&self) -> Duration {
        self.stop.borrow().map_or(Duration::ZERO, |stop| stop.elapsed())
    }

    pub(super) async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(Option::is_some).await;
    }

    pub(super) fn deadline(&self) {
        self.deadline.send_replace(true);
    }

    pub(super) async fn over(&self) {
        let _ = self.deadline.subscribe().wait_for(|over| *over).await;
    }

    pub(super) async fn drained(&self) {
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }

    pub(super) fn serve_one(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until a connection that has been silent since then is to be closed.
    pub(super) async fn idle_over(&self, since: Instant, served: bool, half_a_head: bool) {
        self.stopped().await;
        let waits = self.is(if served { Fault::WaitsForIdle } else { Fault::WaitsForSilent });
        if waits || (half_a_head && !self.is(Fault::DropsHalfHeads)) {
            return std::future::pending().await;
        }
        let grace = if self.is(Fault::ClosesIdleAtOnce) || half_a_head { 0 } else { 250 };
        let stop = self.stop.borrow().unwrap_or(since);
        tokio::time::sleep_until(since.max(stop) + Duration::from_millis(grace)).await;
        if self.is(Fault::ClosesIdleSlowly) {
            let _turn = self.one_by_one.lock().await;
            sleep(Duration::from_millis(1)).await;
        }
    }
}
