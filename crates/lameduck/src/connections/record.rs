//! The record of one connection.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use http::Method;
use http::uri::PathAndQuery;
use tokio_util::sync::CancellationToken;

use super::directed::Directed;
use super::judge::View;
use super::request::{Over, Requests, Stream};
use super::state::{self, State};
use super::{Connections, Directive, Ending, Given, Limits, Mode, Peer, Request};
use crate::budget::Deadlines;
use crate::lifecycle::{Scope, Shared};
use crate::report::{ConnectionCounts, RequestCounts, Stuck, StuckKind};
use crate::sys::{Far, Remote};
use crate::threads::Runs;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fate {
    /// As HTTP has it end: by either side, after a whole response.
    Closed = 0,
    /// By us, while silent.
    ClosedIdle = 1,
    /// By us, at a deadline, in the middle of something.
    Cut = 2,
    /// Not at all: a successor serves it.
    #[cfg(feature = "restart")]
    PassedOn = 3,
}

/// The record of one connection. It lives until the I/O object of the connection drops, also after an
/// upgrade.
///
/// Shared by the connection's task (or tasks, with HTTP/2) and the supervisor thread.
#[derive(Debug)]
pub(crate) struct Record {
    server: Arc<Connections>,
    peer: Peer,
    /// Whether what is written to the socket is what the peer reads: no TLS in between.
    plain: bool,
    /// Whether it came from another process, which may still hold its socket: closing ours says nothing to the peer then.
    #[cfg(feature = "restart")]
    adopted: bool,
    /// Since the server's epoch.
    accepted: Duration,
    pub(crate) state: State,
    directed: Directed,
    fate: AtomicU8,
    /// Milliseconds since the server's epoch.
    since: AtomicU64,
    /// When the peer last took bytes from us, or the handler began to wait for more of the request's body, at the
    /// latest: milliseconds since the server's epoch.
    progress: AtomicU64,
    /// HTTP/2: when the peer last took a part of a response's body: milliseconds since the server's epoch.
    data: AtomicU64,
    /// HTTP/2: a stream is over before its time, and has to be looked up.
    streams_over: AtomicBool,
    /// The same, plus one; 0 for not yet.
    goaway: AtomicU64,
    pong: AtomicU64,
    /// Requests that have begun, ever.
    begun: AtomicU32,
    /// HTTP/1: how the last request ended, while its response is not yet with the kernel whole.
    unflushed: AtomicU8,
    /// HTTP/1: the request has to be forgotten at its end.
    forgets: AtomicBool,
    completed: AtomicU32,
    answered_503: AtomicU32,
    interrupted: AtomicU32,
    cut: AtomicU32,
    gone: AtomicU32,
    waker: OnceLock<Waker>,
    remote: Remote,
    requests: Mutex<Requests>,
}

impl Record {
    #[inline]
    pub(super) fn new(server: Arc<Connections>, peer: Peer, plain: bool) -> Record {
        // Coarse, as the time of silence is, where no other limit counts from it.
        let coarse = plain && server.mode() < Mode::Draining;
        let accepted = if coarse { server.coarse() } else { server.now() };
        Record {
            server,
            peer,
            plain,
            #[cfg(feature = "restart")]
            adopted: false,
            accepted,
            state: State::new(),
            directed: Directed::new(),
            fate: AtomicU8::new(Fate::Closed as u8),
            since: AtomicU64::new(to_millis(accepted)),
            progress: AtomicU64::new(0),
            data: AtomicU64::new(0),
            streams_over: AtomicBool::new(false),
            goaway: AtomicU64::new(0),
            pong: AtomicU64::new(0),
            begun: AtomicU32::new(0),
            unflushed: AtomicU8::new(0),
            forgets: AtomicBool::new(false),
            completed: AtomicU32::new(0),
            answered_503: AtomicU32::new(0),
            interrupted: AtomicU32::new(0),
            cut: AtomicU32::new(0),
            gone: AtomicU32::new(0),
            waker: OnceLock::new(),
            remote: Remote::default(),
            requests: Mutex::new(Requests::new()),
        }
    }

    /// One that has been silent for as long as this, when it came.
    #[cfg(feature = "restart")]
    pub(super) fn adopted(server: Arc<Connections>, peer: Peer, idle: Duration) -> Record {
        let mut record = Record::new(server, peer, true);
        let now = record.server.now();
        // One that comes back during a restart has its idle grace from here on.
        let silent = if record.server.mode().is_paused() { Duration::ZERO } else { idle };
        record.accepted = now.saturating_sub(silent);
        record.since = AtomicU64::new(to_millis(record.accepted));
        record.adopted = true;
        if record.server.mode().passes() {
            record.state.set(state::KEPT);
        }
        record
    }

    #[inline]
    pub(crate) fn server(&self) -> &Arc<Connections> {
        &self.server
    }

    /// Who is at the other end.
    #[cfg(feature = "tls")]
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The socket, as long as it is open. Of a connection that is none, there is nothing.
    #[inline]
    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Keeps the waker of the connection's task, which stays the same for the task's whole life.
    #[inline]
    pub(crate) fn keep_waker(&self, waker: &Waker) {
        if self.waker.get().is_none() {
            let _ = self.waker.set(waker.clone());
            // Whoever gives a directive writes it and looks for a waker then: either that one is woken, or we see it.
            fence(Ordering::SeqCst);
        }
    }

    /// Held for a few instructions only, and never while foreign code runs: the supervisor may wait for it.
    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is written to its socket is what the peer reads.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Calls `f` with a request that is in flight.
    fn with_request<R>(&self, key: u32, f: impl FnOnce(&mut Request) -> R) -> Option<R> {
        if key == 0 && !self.has_first() {
            return None;
        }
        self.requests().get(key).map(f)
    }

    /// HTTP/1: whether a request has begun whose response is not yet with the kernel whole.
    fn has_first(&self) -> bool {
        self.state.get() & (state::REQUEST | state::HTTP2) == state::REQUEST
            || self.unflushed.load(Ordering::Relaxed) != 0
    }

    // What the connection's task says.

    /// The first bytes came, of a head or of HTTP/2's preface. No clock is read: it has not been so for longer than a tick.
    #[inline]
    pub(crate) fn spoke(&self) {
        self.since.store(self.server.coarse_millis(), Ordering::Relaxed);
        self.state.set(state::HEAD | state::SPOKEN);
    }

    /// The peer took bytes from us.
    #[inline]
    pub(crate) fn progressed(&self) {
        self.progress.store(self.server.next_tick_millis(), Ordering::Relaxed);
    }

    /// HTTP/2: the peer took a part of a response's body.
    pub(crate) fn data_taken(&self) {
        self.data.store(self.server.next_tick_millis(), Ordering::Relaxed);
    }

    /// Whether the peer has taken no byte for as long as a connection may be silent.
    pub(crate) fn takes_nothing(&self) -> bool {
        let last = self.view().progress.max(self.view().since);
        last.saturating_add(self.server.limits().idle_timeout) <= self.server.now()
    }

    /// How many requests have begun, ever.
    #[inline]
    pub(crate) fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// The connection fell silent now. Before the drain the time is that of the last tick, which the limit of
    /// silence allows for: reading the clock would be the dearest part of a short request.
    #[inline]
    pub(crate) fn fell_silent(&self) -> Mode {
        let mode = self.server.mode();
        if mode >= Mode::Draining || mode.is_paused() {
            self.touch();
        } else {
            self.since.store(self.server.coarse_millis(), Ordering::Relaxed);
        }
        mode
    }

    /// For how long it has been as it is.
    #[cfg(feature = "restart")]
    pub(crate) fn idle(&self) -> Duration {
        let view = self.view();
        self.server.now().saturating_sub(view.since.max(view.accepted))
    }

    /// Whether this restart may still pass it on, as far as its socket and its past go.
    #[cfg(feature = "restart")]
    pub(crate) fn is_passable(&self) -> bool {
        self.plain && !self.state.has(state::KEPT) && self.server.has_outbox()
    }

    /// Whether it drains, in this mode: its responses say `Connection: close`.
    #[inline]
    pub(crate) fn says_goodbye(&self, mode: Mode) -> bool {
        #[cfg(feature = "restart")]
        if mode == Mode::Paused {
            // Asked once more: a restart that comes to nothing takes the mode back before its outbox.
            return !self.is_passable() && self.server.mode() >= Mode::Paused;
        }
        mode >= Mode::Goodbye
    }

    /// Nobody will read what is left of the body of the HTTP/1 request any more.
    pub(crate) fn body_left(&self, key: u32) {
        if key == 0 && self.state.has(state::BODY_OPEN) {
            self.state.set(state::BODY_LEFT);
        }
    }

    /// The present state began now.
    pub(crate) fn touch(&self) {
        self.since.store(to_millis(self.server.now()), Ordering::Relaxed);
    }

    /// An HTTP/1 request begins. `false`: the supervisor has answered it already.
    pub(crate) fn begin(&self, method: &Method, path: Option<&PathAndQuery>, flags: u32) -> bool {
        // hyper begins a request behind another whose response it has not yet written off.
        self.flushed();
        let forgets = self.requests().set_first(method, path);
        self.forgets.store(forgets, Ordering::Relaxed);
        self.since.store(self.server.coarse_millis(), Ordering::Relaxed);
        // Behind the time: who sees this sees that.
        self.begun.store(self.begun().wrapping_add(1), Ordering::Release);
        self.state.begin(flags)
    }

    /// An HTTP/2 request begins; its key.
    #[cfg(feature = "http2")]
    pub(crate) fn begin_stream(
        &self,
        method: &Method,
        path: Option<&PathAndQuery>,
        grpc: bool,
    ) -> u32 {
        let stream = Stream::new(self.server.coarse(), grpc);
        let mut requests = self.requests();
        let key = requests.insert(Request::new(method, path, Some(stream)));
        self.begun.store(self.begun().wrapping_add(1), Ordering::Relaxed);
        let flags = state::REQUEST | state::SPOKEN;
        if self.state.get() & flags != flags {
            self.state.set(flags);
        }
        key
    }

    /// HTTP/1: a response is there. `false`: the supervisor has answered already; write nothing.
    #[inline]
    pub(crate) fn claim(&self, flags: u32) -> bool {
        self.state.claim(flags)
    }

    /// The stream left HTTP.
    #[cfg(feature = "http2")]
    pub(crate) fn upgrade_stream(&self, key: u32) {
        if let Some(stream) = self.requests().get(key).and_then(|request| request.stream.as_mut()) {
            stream.head_out = true;
            stream.upgraded = true;
        }
    }

    /// The handler waits for the request's body, or does not any more.
    pub(crate) fn set_body_wait(&self, key: u32, waits: bool) {
        if key == 0 {
            if self.state.has(state::BODY_WAIT) != waits {
                if waits {
                    self.progressed();
                    self.state.set(state::BODY_WAIT);
                } else {
                    self.state.clear(state::BODY_WAIT);
                }
            }
        } else if let Some(stream) =
            self.requests().get(key).and_then(|request| request.stream.as_mut())
        {
            stream.body_wait = waits.then(|| self.server.next_tick());
        }
    }

    /// The request's body was read to its end.
    pub(crate) fn body_read(&self, key: u32) {
        if key == 0 {
            self.state.clear(state::BODY_OPEN | state::BODY_WAIT);
        } else {
            self.set_body_wait(key, false);
        }
    }

    /// A poll of the stream's task has ended, and it is not over. `waker`: the task's, by which it can be ended from here
    /// on, after its first poll; `responded`: the head of its response is out; `waits`: its response waits for the peer
    /// to make room, or does not any more. `true`: its waker came too late for an order to end, so look again.
    #[cfg(feature = "http2")]
    pub(crate) fn stream_waits(
        &self,
        key: u32,
        waker: Option<&Waker>,
        responded: bool,
        waits: Option<bool>,
    ) -> bool {
        let now = waker.map(|_| self.server.now());
        let mut requests = self.requests();
        let Some(stream) = requests.get(key).and_then(|request| request.stream.as_mut()) else {
            return false;
        };
        if let Some(waker) = waker {
            stream.waker = Some(waker.clone());
        }
        if let Some(now) = now.filter(|_| !stream.upgraded) {
            stream.since = now;
        }
        stream.head_out |= responded;
        if let Some(waits) = waits {
            stream.window_wait = waits.then(|| self.server.next_tick());
        }
        drop(requests);
        // Behind the lock: who gave an order before this did not see the waker.
        waker.is_some() && self.is_over(key)
    }

    /// Whether the stream's response is to be dropped: its time is over and its head is out, or its peer makes
    /// no room for it. It then counts as cut.
    #[cfg(feature = "http2")]
    pub(crate) fn cuts_stream(&self, key: u32) -> bool {
        let directed = self.directive() >= Directive::BodyTimeout;
        if !directed && !self.streams_over.load(Ordering::Relaxed) {
            return false;
        }
        let mut requests = self.requests();
        let Some(stream) = requests.get(key).and_then(|request| request.stream.as_mut()) else {
            return false;
        };
        let over = directed || stream.over.is_some();
        stream.cut |= (over && stream.head_out) || stream.over == Some(Over::Stalled);
        stream.cut
    }

    /// A request is over. On HTTP/1 its response may still be on its way: it keeps its name, and counts, until
    /// [`Record::flushed`].
    #[inline]
    pub(crate) fn end(&self, key: u32, ending: Ending) {
        if key == 0 {
            if self.state.get() & (state::REQUEST | state::LATE | state::GONE) != state::REQUEST {
                // Has ended; or was counted by the supervisor when it answered, or when the connection went.
                return;
            }
            self.unflushed.store(ending as u8, Ordering::Relaxed);
            self.state.clear(state::REQUEST | state::HEAD_OUT | state::BODY_WAIT);
            return;
        }
        // Dropped once the lock is free.
        let request;
        // Under the lock, so that a stream that begins meanwhile is not forgotten, and one that is left when
        // the connection goes counts once.
        let mut requests = self.requests();
        if self.state.has(state::GONE) {
            return;
        }
        request = requests.remove(key);
        let stream = request.as_ref().and_then(|request| request.stream.as_ref());
        let cut = stream.is_some_and(|stream| stream.cut);
        self.count(if cut { Ending::Cut } else { ending });
        if requests.streams() == 0 {
            self.fell_silent();
            self.state.clear(state::REQUEST);
        }
    }

    /// HTTP/1: everything written is with the kernel.
    #[inline]
    pub(crate) fn flushed(&self) {
        // Written by the connection's task alone, which is who asks.
        if let Some(ending) = Ending::from_u8(self.unflushed.load(Ordering::Relaxed)) {
            self.forget_first(ending);
        }
    }

    fn forget_first(&self, ending: Ending) {
        self.unflushed.store(0, Ordering::Relaxed);
        if self.forgets.load(Ordering::Relaxed) {
            self.requests().forget_first();
        }
        self.count(ending);
    }

    /// The connection is gone: what was in flight on it did not end well. Its I/O object goes before the
    /// guards of its requests do, which count nothing any more.
    pub(super) fn settle(&self) {
        let mut requests = self.requests();
        self.state.set(state::GONE);
        let flags = self.state.get();
        let by_us = self.fate() == Fate::Cut || self.is_over(0);
        let ending = if by_us { Ending::Cut } else { Ending::Gone };
        if let Some((ending, times)) = self.unsettled(flags, requests.streams(), ending) {
            (0..times).for_each(|_| self.count(ending));
        }
        requests.clear();
        if self.forgets.load(Ordering::Relaxed) {
            requests.forget_first();
        }
    }

    /// As what the requests count that are in flight when the connection ends in this state, and how many there are.
    fn unsettled(&self, flags: u32, streams: usize, ending: Ending) -> Option<(Ending, usize)> {
        if flags & state::HTTP2 != 0 {
            return Some((ending, streams));
        }
        if flags & (state::LATE | state::UPGRADED) != 0 {
            return None;
        }
        if flags & state::REQUEST != 0 {
            return Some((ending, 1));
        }
        match Ending::from_u8(self.unflushed.load(Ordering::Relaxed))? {
            before @ (Ending::Interrupted | Ending::Cut | Ending::Gone) => Some((before, 1)),
            Ending::Completed | Ending::Answered503 => Some((ending, 1)),
        }
    }

    /// HTTP/1: whether an orderly end of the connection now would look like that of a response that is not whole.
    pub(crate) fn is_cut_short(&self) -> bool {
        let flags = self.state.get();
        flags & (state::ENDS_BY_CLOSE | state::LATE) == state::ENDS_BY_CLOSE
            && (flags & (state::REQUEST | state::DIRTY) != 0
                || self.unflushed.load(Ordering::Relaxed) != 0)
    }

    /// Whether the time of half a head is over, if it is one.
    pub(crate) fn is_late_head(&self) -> bool {
        let limit = self.server.limits().header_timeout;
        self.view().since.saturating_add(limit) <= self.server.now()
    }

    /// The name of a request, for the log.
    pub(crate) fn name_of(&self, key: u32) -> String {
        self.with_request(key, |request| request.name()).unwrap_or_default()
    }

    /// HTTP/1: the method of the request in flight.
    pub(crate) fn method(&self) -> Option<Method> {
        self.with_request(0, |request| request.method.clone())
    }

    /// What the answer to a request depends on that is given up: whether it may be repeated, and whether it is a gRPC call.
    pub(crate) fn asks(&self, key: u32) -> (bool, bool) {
        let asks = self.with_request(key, |request| {
            let grpc = request.stream.as_ref().is_some_and(|stream| stream.grpc);
            (request.method.is_idempotent(), grpc)
        });
        // One that is not known any more may have done anything.
        asks.unwrap_or_default()
    }

    fn count(&self, ending: Ending) {
        let counter = match ending {
            // Written by the connection's task alone, or under the lock of its streams.
            Ending::Completed => {
                let completed = self.completed.load(Ordering::Relaxed);
                self.completed.store(completed.wrapping_add(1), Ordering::Relaxed);
                return;
            }
            Ending::Answered503 => &self.answered_503,
            Ending::Interrupted => &self.interrupted,
            Ending::Cut => &self.cut,
            Ending::Gone => &self.gone,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Raw bytes answered a request that never began: half a head.
    pub(crate) fn count_half_head(&self) {
        self.count(Ending::Answered503);
    }

    pub(crate) fn set_fate(&self, fate: Fate) {
        self.fate.store(fate as u8, Ordering::Relaxed);
    }

    pub(crate) fn fate(&self) -> Fate {
        match self.fate.load(Ordering::Relaxed) {
            1 => Fate::ClosedIdle,
            2 => Fate::Cut,
            #[cfg(feature = "restart")]
            3 => Fate::PassedOn,
            _ => Fate::Closed,
        }
    }

    /// GOAWAY was sent.
    #[cfg(feature = "http2")]
    pub(crate) fn note_goaway(&self) {
        self.goaway.store(to_millis(self.server.now()) + 1, Ordering::Relaxed);
    }

    /// The PING's answer was assumed.
    #[cfg(feature = "http2")]
    pub(crate) fn note_pong(&self) {
        self.pong.store(to_millis(self.server.now()) + 1, Ordering::Relaxed);
    }

    // What the supervisor says.

    /// What the task is to do.
    #[inline]
    pub(crate) fn directive(&self) -> Directive {
        self.given().directive
    }

    /// The same, with what it was given for.
    #[inline]
    pub(crate) fn given(&self) -> Given {
        self.directed.get()
    }

    /// Whether the time of the request is over.
    #[inline]
    pub(crate) fn is_over(&self, key: u32) -> bool {
        let given = self.given();
        let told = given.directive >= Directive::BodyTimeout;
        (told && (key != 0 || !given.is_void(self.begun())))
            || (key != 0 && self.over(key).is_some())
    }

    /// Whether it is over because nothing more came of the request's body.
    pub(crate) fn is_silent(&self, key: u32) -> bool {
        match key {
            0 => self.directive() == Directive::BodyTimeout,
            key => self.over(key) == Some(Over::Silent),
        }
    }

    /// Why the stream is over before its time.
    fn over(&self, key: u32) -> Option<Over> {
        if !self.streams_over.load(Ordering::Relaxed) {
            return None;
        }
        self.requests().get(key)?.stream.as_ref()?.over
    }

    /// The task has dealt with a directive; a higher one may have come meanwhile and stays.
    pub(crate) fn done_with(&self, directive: Directive) {
        self.directed.done_with(directive);
    }

    /// The task takes no notice of a directive that is void; one that was given since stays.
    pub(crate) fn void(&self, given: Given) {
        self.directed.void(given);
    }

    /// Tells the task, on account of how the connection is now.
    pub(super) fn direct(&self, directive: Directive) {
        self.direct_seen(directive, self.begun());
    }

    /// Tells the task, on account of how the connection was when so many requests had begun.
    pub(super) fn direct_seen(&self, directive: Directive, begun: u32) {
        if self.directed.give(directive, begun) {
            fence(Ordering::SeqCst);
            self.wake();
            if directive == Directive::Cut {
                self.wake_streams(|_| true);
            }
        }
    }

    /// Whether its I/O object is still there.
    #[cfg(feature = "restart")]
    pub(super) fn is_open(&self) -> bool {
        !self.state.has(state::GONE)
    }

    /// Wakes the connection's task.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Wakes the tasks of the streams for which `f` says so.
    fn wake_streams(&self, mut f: impl FnMut(&mut Stream) -> bool) {
        let mut wakers = Vec::new();
        for (_, request) in self.requests().iter() {
            if let Some(stream) = &mut request.stream
                && f(stream)
            {
                wakers.extend(stream.waker.clone());
            }
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Ends the streams whose time is over.
    pub(super) fn time_out_streams(&self, limits: &Limits, now: Duration) {
        self.wake_streams(|stream| {
            let before = stream.over;
            stream.over = stream.judge(limits, now);
            let over = stream.over != before;
            if over {
                // Before the wake, which is what the stream's task looks for it after.
                self.streams_over.store(true, Ordering::Relaxed);
            }
            over
        });
    }

    pub(super) fn view(&self) -> View {
        let at = |millis: &AtomicU64| {
            millis.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
        };
        // Before the rest: what a request changes that begins meanwhile is on account of the one before.
        let begun = self.begun.load(Ordering::Acquire);
        View {
            begun,
            flags: self.state.get(),
            passable: self.plain,
            accepted: self.accepted,
            since: Duration::from_millis(self.since.load(Ordering::Relaxed)),
            progress: Duration::from_millis(self.progress.load(Ordering::Relaxed)),
            data: Duration::from_millis(self.data.load(Ordering::Relaxed)),
            goaway: at(&self.goaway),
            pong: at(&self.pong),
        }
    }

    pub(super) fn counts(&self) -> RequestCounts {
        let get = |counter: &AtomicU32| u64::from(counter.load(Ordering::Relaxed));
        RequestCounts {
            completed: get(&self.completed),
            answered_503: get(&self.answered_503),
            interrupted: get(&self.interrupted),
            cut: get(&self.cut),
            gone: get(&self.gone),
        }
    }

    /// What its end will add to the counts, though it is still open: it was cut, and its task does not come to see it.
    pub(super) fn severed(&self) -> (RequestCounts, ConnectionCounts) {
        let (mut requests, mut connections) =
            (RequestCounts::default(), ConnectionCounts::default());
        if self.fate() != Fate::Cut {
            return (requests, connections);
        }
        connections.cut = 1;
        let flags = self.state.get();
        if flags & state::GONE != 0 {
            // Its requests are counted.
            return (requests, connections);
        }
        let streams = self.requests().streams();
        if let Some((ending, times)) = self.unsettled(flags, streams, Ending::Cut) {
            let counter = match ending {
                Ending::Interrupted => &mut requests.interrupted,
                Ending::Gone => &mut requests.gone,
                Ending::Completed | Ending::Answered503 | Ending::Cut => &mut requests.cut,
            };
            *counter = times as u64;
        }
        (requests, connections)
    }

    /// How many requests are in flight, a half-read head and a response on its way included.
    pub(super) fn in_flight(&self) -> usize {
        let flags = self.state.get();
        if flags & state::HTTP2 != 0 {
            return self.requests().streams().max(usize::from(flags & state::DIRTY != 0));
        }
        usize::from(flags & (state::HEAD | state::REQUEST | state::DIRTY) != 0)
    }

    /// Names the requests that are in flight, as the report shows them.
    pub(super) fn stuck(&self, now: Duration) -> Vec<Stuck> {
        let view = self.view();
        let age = now.saturating_sub(view.since);
        let place = self.peer.to_string();
        let http1 = match view.flags {
            flags if flags & state::UPGRADED != 0 => "upgraded",
            flags if flags & (state::HANDSHAKE | state::HEAD) == state::HANDSHAKE | state::HEAD => {
                "in the TLS handshake"
            }
            flags if flags & (state::HEAD_OUT | state::REQUEST) == state::REQUEST => {
                if flags & state::BODY_WAIT != 0 {
                    "waiting for the request's body"
                } else {
                    "in the handler"
                }
            }
            flags if flags & (state::REQUEST | state::DIRTY) != 0 => "writing the response",
            flags if flags & state::HEAD != 0 => "reading the head",
            _ => return Vec::new(),
        };
        let has_first = self.has_first();
        let mut requests = self.requests();
        let mut stuck: Vec<Stuck> = requests
            .iter()
            .filter(|(key, _)| *key != 0 || has_first)
            .map(|(key, request)| {
                let (doing, age) = match &request.stream {
                    None => (http1, age),
                    Some(stream) => (
                        match (stream.head_out, stream.body_wait.is_some()) {
                            _ if stream.upgraded => "upgraded",
                            (true, _) => "writing the response",
                            (false, true) => "waiting for the request's body",
                            (false, false) => "in the handler",
                        },
                        now.saturating_sub(stream.since),
                    ),
                };
                let doing = match &request.note {
                    Some(note) => format!("{doing}: {note}"),
                    None => doing.to_owned(),
                };
                let (kind, name) = (StuckKind::Request, request.name());
                let runs = Runs::of(self, key);
                Stuck::new(kind, name, place.clone(), age, doing).runs(runs)
            })
            .collect();
        if stuck.is_empty() && view.flags & state::HTTP2 == 0 {
            // Half a head, or a response whose request is over already but not yet with the kernel.
            let (kind, name) = (StuckKind::Request, "(unread)".to_owned());
            stuck.push(Stuck::new(kind, name, place, age, http1.to_owned()));
        }
        stuck
    }

    /// Takes over the answer to what the connection waits for: the method, if a request had begun. `None`:
    /// there is nothing to answer here, or its task was faster.
    pub(super) fn take_over(&self, bytes_wait: bool) -> Option<Option<Method>> {
        if !self.plain || !self.state.claim_late(bytes_wait) {
            return None;
        }
        let begun = self.state.has(state::REQUEST);
        let method = self.method().filter(|_| begun);
        let repeatable = method.as_ref().is_none_or(Method::is_idempotent);
        self.count(if repeatable { Ending::Answered503 } else { Ending::Interrupted });
        Some(method)
    }
}

impl Far for Record {
    #[inline]
    fn remote(&self) -> &Remote {
        Record::remote(self)
    }

    #[cfg(feature = "restart")]
    fn is_shared(&self) -> bool {
        self.adopted
    }
}

impl Scope for Record {
    fn shared(&self) -> &Arc<Shared> {
        self.server.shared()
    }

    fn over(&self) -> &CancellationToken {
        &self.server.shared().drain_over
    }

    fn deadline(&self, deadlines: &Deadlines) -> Instant {
        deadlines.drain
    }

    fn name(&self, key: u32) -> Option<String> {
        Some(format!("request {}", self.name_of(key)))
    }

    fn note(&self, key: u32, text: String) {
        self.with_request(key, |request| request.note = Some(text));
        self.forgets.store(true, Ordering::Relaxed);
    }

    fn progress(&self, key: u32, done: u64, of: u64) {
        let of = (of > 0).then_some(of);
        self.note(key, crate::part::Progress { done, of }.to_string());
    }

    #[cfg(feature = "axum")]
    fn route(&self, key: u32, route: Arc<str>) {
        self.with_request(key, |request| request.route = Some(route));
        self.forgets.store(true, Ordering::Relaxed);
    }
}

/// Milliseconds, for the 500 million years that they fit.
fn to_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
