//! The connections of one server.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use slab::Slab;
use tokio::sync::Notify;

#[cfg(feature = "restart")]
use super::judge::View;
use super::judge::{Protocol, judge};
#[cfg(feature = "restart")]
use super::sweep::{PACE, Sweep};
use super::{Directive, Fate, Limits, Mode, Peer, Record, state};
use crate::lifecycle::Shared;
#[cfg(feature = "restart")]
use crate::parcel::{Outbox, Parcel};
use crate::part::TICK;
use crate::report::{ConnectionCounts, RequestCounts, Stuck, Totals};
use crate::sys::Remote;

/// How soon to ask again after something was ordered while draining.
const AGAIN: Duration = Duration::from_millis(10);

/// Asking all connections takes one part in so many of the time, at most. Asking tens of thousands of them again each
/// time that one is due would take the processor and the lock that they need to end.
const SHARE: u32 = 10;

/// But no look is put off for longer: it may have taken its time because the machine stood still, and an idle grace must
/// not wait for that.
const PAUSE: Duration = Duration::from_millis(100);

/// How soon all connections are looked at again in a restart, where nothing else asks for it.
#[cfg(feature = "restart")]
const RESTING: Duration = Duration::from_millis(50);

/// How far before the making of a server its clock begins: an adopted connection may have been silent for longer than
/// this process has run.
const BEFORE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often the clients of long requests are looked for, and how long a request is a long one.
const LOOK: Duration = Duration::from_millis(250);

/// The connections of one server. Its lock is taken when a connection is accepted, when its I/O object
/// drops, and by the supervisor thread; never for a request.
#[derive(Debug)]
pub(crate) struct Connections {
    shared: Arc<Shared>,
    limits: OnceLock<Limits>,
    epoch: Instant,
    /// Milliseconds since the epoch, as of the last tick.
    coarse: AtomicU64,
    /// When the clients of long requests were last looked for: milliseconds since the epoch.
    looked: AtomicU64,
    mode: AtomicU8,
    /// Milliseconds since the epoch.
    draining_since: AtomicU64,
    /// Whether a listener may still bring connections.
    listening: AtomicBool,
    open: Mutex<Open>,
    count: AtomicUsize,
    #[cfg(feature = "restart")]
    sweep: Mutex<Sweep>,
    /// Where connections go in a restart. Its lock is held while one is given, so that none is once it is empty.
    #[cfg(feature = "restart")]
    outbox: Mutex<Option<Send>>,
    /// Whether there is one.
    #[cfg(feature = "restart")]
    passes: AtomicBool,
    /// Told each time a connection has gone.
    pub(crate) freed: Notify,
}

/// An [`Outbox`] that can be shown.
#[cfg(feature = "restart")]
struct Send(Outbox);

#[cfg(feature = "restart")]
impl std::fmt::Debug for Send {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outbox")
    }
}

#[derive(Debug, Default)]
struct Open {
    records: Slab<Arc<Record>>,
    /// Of the connections that are gone.
    requests: RequestCounts,
    connections: ConnectionCounts,
}

/// Keeps a connection in the record until it drops: a field of the I/O object, behind the stream itself, so
/// that the descriptor is closed first.
#[derive(Debug)]
pub(crate) struct Membership {
    record: Arc<Record>,
    slot: usize,
}

impl Membership {
    #[inline]
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let server = Arc::clone(self.record.server());
        server.remove(self.slot, &self.record);
    }
}

impl Connections {
    pub(crate) fn new(shared: Arc<Shared>) -> Connections {
        let now = Instant::now();
        let epoch = now.checked_sub(BEFORE).unwrap_or(now);
        let coarse = u64::try_from(now.duration_since(epoch).as_millis()).unwrap_or(u64::MAX);
        Connections {
            shared,
            limits: OnceLock::new(),
            epoch,
            coarse: AtomicU64::new(coarse),
            looked: AtomicU64::new(0),
            mode: AtomicU8::new(Mode::Serving as u8),
            draining_since: AtomicU64::new(0),
            listening: AtomicBool::new(false),
            open: Mutex::new(Open::default()),
            count: AtomicUsize::new(0),
            #[cfg(feature = "restart")]
            sweep: Mutex::new(Sweep::default()),
            #[cfg(feature = "restart")]
            outbox: Mutex::new(None),
            #[cfg(feature = "restart")]
            passes: AtomicBool::new(false),
            freed: Notify::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Fixes the limits: once, before the first connection.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let _ = self.limits.set(limits);
    }

    #[inline]
    pub(crate) fn limits(&self) -> &Limits {
        self.limits.get_or_init(Limits::default)
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode::from_u8(self.mode.load(Ordering::Acquire))
    }

    /// The time since the epoch.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The time since the epoch as of the last tick: up to a second old, but free.
    #[inline]
    pub(super) fn coarse(&self) -> Duration {
        Duration::from_millis(self.coarse_millis())
    }

    /// The same in milliseconds, as records keep it: a request takes it several times, and would divide each time.
    #[inline]
    pub(super) fn coarse_millis(&self) -> u64 {
        self.coarse.load(Ordering::Relaxed)
    }

    /// The next tick: the latest that it can be now. For what must not be over early, at no cost.
    #[inline]
    pub(super) fn next_tick(&self) -> Duration {
        self.coarse() + TICK
    }

    /// The same in milliseconds.
    #[inline]
    pub(super) fn next_tick_millis(&self) -> u64 {
        const TICK_MILLIS: u64 = TICK.as_millis() as u64;
        self.coarse_millis().saturating_add(TICK_MILLIS)
    }

    /// How many connections are open.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether nothing is left: no listener and no connection.
    pub(crate) fn is_over(&self) -> bool {
        !self.listening.load(Ordering::Acquire) && self.len() == 0
    }

    /// Whether a listener may still bring connections.
    #[cfg(feature = "restart")]
    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// A listener brings connections, or has been closed.
    pub(crate) fn set_listening(&self, listening: bool) {
        self.listening.store(listening, Ordering::Release);
        if !listening {
            self.shared.events().check();
        }
    }

    /// A connection was accepted.
    pub(crate) fn add(self: &Arc<Self>, peer: Peer, plain: bool) -> Membership {
        self.enrol(Record::new(Arc::clone(self), peer, plain))
    }

    fn enrol(&self, record: Record) -> Membership {
        let record = Arc::new(record);
        let mut open = self.lock();
        let slot = open.records.insert(Arc::clone(&record));
        open.connections.accepted += 1;
        self.count.store(open.records.len(), Ordering::Release);
        drop(open);
        // The supervisor may have given its orders between the accept and this.
        if self.mode() == Mode::Cut {
            record.direct(Directive::Cut);
        }
        Membership { record, slot }
    }

    fn remove(&self, slot: usize, record: &Record) {
        record.settle();
        let mut open = self.lock();
        drop(open.records.try_remove(slot));
        open.requests.add(record.counts());
        let connections = &mut open.connections;
        connections.closed += 1;
        match record.fate() {
            Fate::Closed => {}
            Fate::ClosedIdle => connections.closed_idle += 1,
            Fate::Cut => connections.cut += 1,
            #[cfg(feature = "restart")]
            Fate::PassedOn => connections.passed_on += 1,
        }
        if record.state.has(state::UPGRADED) {
            connections.upgraded += 1;
        }
        let left = open.records.len();
        self.count.store(left, Ordering::Release);
        drop(open);
        self.freed.notify_one();
        let mode = self.mode();
        if left == 0 && (mode >= Mode::Draining || mode.is_paused()) {
            self.shared.events().check();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to a later mode.
    pub(crate) fn enter(&self, mode: Mode) {
        if mode == Mode::Draining {
            let now = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
            self.draining_since.store(now, Ordering::Relaxed);
        }
        self.mode.fetch_max(mode as u8, Ordering::AcqRel);
    }

    /// Tells every connection what its state asks for now; when to be called again.
    pub(crate) fn tick(&self, now: Instant) -> Option<Instant> {
        let time = now.saturating_duration_since(self.epoch);
        self.coarse.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let limits = *self.limits();
        #[cfg(feature = "restart")]
        if self.mode().passes() && !self.sweep().is_due(time) {
            let next = self.sweep().tell(time);
            return self.epoch.checked_add(next);
        }
        let draining_since = Duration::from_millis(self.draining_since.load(Ordering::Relaxed));
        let mut next: Option<Duration> = None;
        // Given once the lock is free, which those that are closed then want.
        let mut orders = Vec::new();
        let open = self.lock();
        let mode = self.mode();
        // Asked with the lock held, and the mode once more: `pass_on` sets it behind the outbox, `resume` before. So a sweep
        // has its outbox, and what comes back after a restart that came to nothing is not judged by the mode of before.
        #[cfg(feature = "restart")]
        let (passes, mode, mut idle) = (self.has_outbox(), mode.min(self.mode()), Vec::new());
        for (_, record) in &open.records {
            let view = record.view();
            #[cfg(feature = "restart")]
            let view = View { passable: view.passable && passes, ..view };
            let verdict = judge(&view, mode, draining_since, &limits, time);
            #[cfg(feature = "restart")]
            if verdict.directive == Directive::PassOn {
                idle.push(Arc::clone(record));
                continue;
            }
            if verdict.directive != Directive::None {
                // Streams begin all the time, and what is said to their connection is on account of none.
                let begun = if view.protocol() == Protocol::Http2 { 0 } else { view.begun };
                orders.push((Arc::clone(record), verdict.directive, begun));
            }
            if view.protocol() == Protocol::Http2 && view.flags & state::REQUEST != 0 {
                record.time_out_streams(&limits, time);
            }
            if let Some(at) = verdict.ask_at {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        drop(open);
        let ordered = !orders.is_empty();
        for (record, directive, begun) in orders {
            record.direct_seen(directive, begun);
        }
        if mode == Mode::Draining || mode.is_paused() {
            // One that falls silent after this has its whole grace from then on: no need to ask sooner.
            let sooner = time + if ordered { AGAIN } else { limits.idle_grace.max(AGAIN) };
            next = Some(next.map_or(sooner, |next| next.min(sooner)));
        }
        let not_before = time + now.elapsed().saturating_mul(SHARE).min(PAUSE);
        #[cfg(feature = "restart")]
        if mode.passes() {
            // Those that are under way are asked for sooner than all are looked at again.
            let rest = time + if idle.is_empty() { RESTING } else { PACE };
            let look_at = next.map_or(rest, |next| next.min(rest)).max(not_before);
            let mut sweep = self.sweep();
            // With its lock held: `resume` empties it once the mode is another.
            if self.mode().passes() {
                sweep.found(idle, look_at);
            }
            let next = sweep.tell(time).min(look_at);
            return self.epoch.checked_add(next);
        }
        // A limit that lies beyond what the clock can count is never reached.
        next.and_then(|next| self.epoch.checked_add(next.max(not_before)))
    }

    /// Gives up the HTTP/1 requests whose client is gone: `is_gone` asks the kernel. hyper does not look while a
    /// handler runs, since a client that closed its half is still served.
    ///
    /// Only requests that have been in flight for a while are asked about, so that short ones cost nothing, and
    /// not while the lock is held that accepting takes.
    pub(crate) fn give_up_gone(&self, now: Instant, is_gone: impl Fn(&Remote) -> bool) {
        let time = now.saturating_duration_since(self.epoch);
        let last = Duration::from_millis(self.looked.load(Ordering::Relaxed));
        if last + LOOK > time {
            return;
        }
        self.looked.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let asked = state::REQUEST | state::HTTP2 | state::UPGRADED;
        let long = |record: &Record| {
            let view = record.view();
            view.flags & asked == state::REQUEST && view.since + LOOK <= time
        };
        let records: Vec<Arc<Record>> = {
            let open = self.lock();
            let long = open.records.iter().filter(|(_, record)| long(record));
            long.map(|(_, record)| Arc::clone(record)).collect()
        };
        for record in records {
            if is_gone(record.remote()) {
                record.direct(Directive::Gone);
            }
        }
    }

    /// What is in flight now, as the report names it.
    pub(crate) fn stuck(&self) -> Vec<Stuck> {
        let now = self.now();
        let records: Vec<Arc<Record>> =
            self.lock().records.iter().map(|(_, record)| Arc::clone(record)).collect();
        records.iter().flat_map(|record| record.stuck(now)).collect()
    }

    /// Calls `f` for every connection whose answer the supervisor takes over: with the method of the request
    /// that a handler has begun, if any. `bytes_wait` tells whether unread bytes wait in the socket.
    pub(crate) fn take_over(
        &self,
        bytes_wait: impl Fn(&Remote) -> bool,
        mut f: impl FnMut(&Remote, Option<&Method>),
    ) {
        for (_, record) in &self.lock().records {
            if let Some(method) = record.take_over(bytes_wait(record.remote())) {
                f(record.remote(), method.as_ref());
            }
        }
    }

    /// Calls `f` for every connection that is left, counts it as cut, and wakes its task. An orderly end of some would look
    /// like that of their response: `f` is told so by `true`.
    pub(crate) fn sever(&self, f: impl Fn(&Remote, bool)) {
        for (_, record) in &self.lock().records {
            // One that was answered is not cut.
            if record.in_flight() > 0 && !record.state.has(state::LATE) {
                record.set_fate(Fate::Cut);
            }
            f(record.remote(), record.is_cut_short());
            record.wake();
        }
    }

    /// Calls `f` for every upgraded connection.
    pub(crate) fn each_upgraded(&self, f: impl Fn(&Remote)) {
        for (_, record) in &self.lock().records {
            if record.state.has(state::UPGRADED) {
                record.set_fate(Fate::Cut);
                f(record.remote());
            }
        }
    }

    /// Adds the figures since the start.
    pub(crate) fn count(&self, totals: &mut Totals) {
        let open = self.lock();
        totals.requests.add(open.requests);
        totals.connections.add(open.connections);
        for (_, record) in &open.records {
            totals.requests.add(record.counts());
            let (requests, connections) = record.severed();
            totals.requests.add(requests);
            totals.connections.add(connections);
            totals.in_flight += record.in_flight() as u64;
            let flags = record.state.get();
            let by_state = &mut totals.open;
            let counter = if flags & state::UPGRADED != 0 {
                &mut by_state.upgraded
            } else if flags & state::HANDSHAKE != 0 {
                &mut by_state.handshake
            } else if flags & (state::REQUEST | state::DIRTY) != 0 {
                &mut by_state.in_flight
            } else if flags & state::HEAD != 0 {
                &mut by_state.head
            } else if flags & state::SPOKEN != 0 {
                &mut by_state.idle
            } else {
                &mut by_state.unspoken
            };
            *counter += 1;
        }
    }
}

/// A restart.
#[cfg(feature = "restart")]
impl Connections {
    fn sweep(&self) -> std::sync::MutexGuard<'_, Sweep> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Option<Send>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether connections are given to somebody.
    #[inline]
    pub(crate) fn has_outbox(&self) -> bool {
        self.passes.load(Ordering::Acquire)
    }

    /// Passes idle connections on from now on.
    pub(crate) fn pass_on(&self, outbox: &Outbox) {
        if self.mode() >= Mode::Goodbye {
            return;
        }
        *self.outbox() = Some(Send(Arc::clone(outbox)));
        self.passes.store(true, Ordering::Relaxed);
        self.sweep().begin();
        self.enter(Mode::Passing);
    }

    /// Whether those that were idle when that began have been passed on.
    pub(crate) fn is_swept(&self) -> bool {
        !self.mode().passes() || !self.has_outbox() || self.sweep().is_over()
    }

    /// Drains what cannot be passed on from now on.
    pub(crate) fn pause(&self) {
        if self.mode() < Mode::Paused {
            let now = u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX);
            self.draining_since.store(now, Ordering::Relaxed);
        }
        self.enter(Mode::Paused);
        self.sweep().hurry();
    }

    /// Passes none on any more: whoever is about to keeps it.
    pub(crate) fn keep(&self) {
        *self.outbox() = None;
        self.passes.store(false, Ordering::Release);
    }

    /// Serves all connections again as if nothing had been.
    pub(crate) fn resume(&self) {
        // Before the outbox goes: a paused server without one drains its connections.
        for mode in [Mode::Passing, Mode::Paused] {
            let (from, to) = (mode as u8, Mode::Serving as u8);
            let _ = self.mode.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
        }
        self.keep();
        self.sweep().begin();
        for (_, record) in &self.lock().records {
            if record.state.has(state::KEPT) {
                record.state.clear(state::KEPT);
            }
        }
    }

    /// Gives what `make` makes to the successor. `false`, and nothing is made: there is none any more.
    pub(crate) fn give(&self, make: impl FnOnce() -> Option<Parcel>) -> bool {
        let outbox = self.outbox();
        let Some(Send(send)) = &*outbox else { return false };
        if let Some(parcel) = make() {
            send(parcel);
        }
        true
    }

    /// A connection has come from another process, or has come back. It counts as an accepted one.
    pub(crate) fn adopt(self: &Arc<Self>, peer: Peer, idle: Duration) -> Membership {
        self.enrol(Record::adopted(Arc::clone(self), peer, idle))
    }
}
