//! One connection from its first byte to its last: HTTP/2 where that is known, else HTTP/1, which turns into HTTP/2 where
//! the peer speaks that, and what the stop asks of it. The decision what to do is [`crate::connections`]'s, as a directive in
//! the record; this carries it out on the connection's own task.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::in_flight::note_panic;
#[cfg(feature = "restart")]
use super::opening;
#[cfg(feature = "restart")]
use super::parcels::{self, Release};
use super::service::{BoxError, Serve};
#[cfg(feature = "http2")]
use super::streams::Streams;
use super::tracked::Tracked;
use super::{Body, cork, late, peek};
use crate::connections::{Directive, Ending, Fate, Membership, Record, state};
use crate::lifecycle::{Entered, Lifecycle};

/// The I/O that a connection can run on.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<I: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for I {}

/// What serves its requests.
pub(crate) trait Handle:
    hyper::service::Service<
        Request<Body>,
        Response = Response<Self::ResBody>,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    type ResBody: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> Handle for S
where
    S: hyper::service::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type ResBody = B;
}

type Http1<I, S> = http1::UpgradeableConnection<TokioIo<Tracked<I>>, Serve<S, false>>;
#[cfg(feature = "http2")]
type Http2<I, S> = Pin<Box<http2::Connection<TokioIo<Tracked<I>>, Serve<S, true>, Streams>>>;

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every connection is HTTP/1: a box would cost each of them an allocation"
)]
enum Stage<I: Io, S: Handle> {
    Http1(Http1<I, S>),
    #[cfg(feature = "http2")]
    Http2(Http2<I, S>),
    /// An answer that hyper cannot write is written, and the connection closed.
    Last {
        io: Tracked<I>,
        answer: Bytes,
    },
    Over,
}

/// One connection. The future ends when it is over, or was upgraded.
pub(super) struct Connection<I: Io, S: Handle> {
    stage: Stage<I, S>,
    service: S,
    record: Arc<Record>,
    /// HTTP/1: what its handlers have, one after the other. Streams have one each.
    lifecycle: Option<Lifecycle>,
    /// The state as of the end of the last poll, to see when another one begins.
    last: (u32, u32),
    /// How many requests had begun when hyper's part of it was made.
    #[cfg(feature = "restart")]
    fresh_at: u32,
    /// How its socket is taken out of it, to pass it on; none where it is no plain socket.
    #[cfg(feature = "restart")]
    release: Option<Release<I>>,
    /// The drain deadline has been dealt with.
    #[cfg(feature = "http2")]
    cut: bool,
    /// Several streams began in the last poll: let all of them be polled before the next one.
    #[cfg(feature = "http2")]
    gathers: bool,
}

/// Nothing in it is pinned in place: hyper's connections are `Unpin`, or boxed.
impl<I: Io, S: Handle> Unpin for Connection<I, S> {}

impl<I: Io, S: Handle> Connection<I, S> {
    /// Serves the connection. `http2`: it is known to be HTTP/2, or not to be; `None`: look at its bytes. `read`: what of
    /// it was read before, of which the record knows.
    #[inline]
    pub(super) fn new(
        io: I,
        membership: Membership,
        service: S,
        http2: Option<bool>,
        read: Bytes,
    ) -> Connection<I, S> {
        let http2 = if cfg!(feature = "http2") { http2 } else { Some(false) };
        let io = Tracked::new(io, membership, http2, read);
        #[cfg(feature = "http2")]
        if http2 == Some(true) {
            return Connection::of_http2(io, service);
        }
        Connection::on(io, service, |io, service, record| {
            Stage::Http1(speak_http1(io, service, record))
        })
    }

    /// One whose protocol is known.
    #[cfg(feature = "http2")]
    #[inline(never)]
    fn of_http2(io: Tracked<I>, service: S) -> Connection<I, S> {
        let record = io.record();
        if record.state.has(state::HEAD) {
            // It was the preface that began, no head.
            record.touch();
            record.state.clear(state::HEAD);
        }
        Connection::on(io, service, |io, service, record| {
            Stage::Http2(speak_http2(io, service, record))
        })
    }

    /// Made where it stays, for which each protocol has a way of its own: it is more than a kilobyte.
    #[inline]
    fn on(
        io: Tracked<I>,
        service: S,
        stage: impl FnOnce(Tracked<I>, S, &Arc<Record>) -> Stage<I, S>,
    ) -> Connection<I, S> {
        let record = Arc::clone(io.record());
        let lifecycle = Some(Lifecycle::new(Arc::clone(&record) as _, 0));
        Connection {
            stage: stage(io, service.clone(), &record),
            service,
            record,
            lifecycle,
            last: (0, 0),
            #[cfg(feature = "restart")]
            fresh_at: 0,
            #[cfg(feature = "restart")]
            release: None,
            #[cfg(feature = "http2")]
            cut: false,
            #[cfg(feature = "http2")]
            gathers: false,
        }
    }

    /// Lets it be passed on to a successor once it is idle.
    #[cfg(feature = "restart")]
    pub(super) fn set_passable(&mut self, release: Release<I>) {
        self.release = Some(release);
    }

    /// Notes when the connection came into another state, once per poll at most: reading a clock for each
    /// step of a request would cost more than all the rest. `true`: it fell silent, and those that do are passed on now.
    fn note_state(&mut self) -> bool {
        let flags = self.record.state.get();
        if flags & (state::LAST | state::REQUEST | state::DIRTY) == state::LAST {
            // All of the last response was written, and yet the connection does not end.
            cork::push(&self.record);
        }
        // What a request writes meanwhile does not make it another one.
        let state = match flags & state::REQUEST {
            0 => flags & (state::HEAD | state::DIRTY),
            request => request,
        };
        let now = (state, self.record.begun());
        if now != self.last {
            self.last = now;
            match state {
                // Before the commit the supervisor's sweep finds it, behind those that have been idle for longer: a successor
                // that dies in the middle of the transfer then has hardly a busy one.
                0 => return self.record.fell_silent().is_paused(),
                _ => self.record.touch(),
            }
        }
        false
    }
}

/// Polls hyper; the message of a panic in the service, or in what else is the user's.
fn poll_http1<I: Io, S: Handle>(
    connection: &mut Http1<I, S>,
    lifecycle: &mut Option<Lifecycle>,
    cx: &mut Context<'_>,
) -> Result<Poll<()>, String> {
    let _entered = Entered::new(lifecycle);
    let poll = || Pin::new(connection).poll(cx).map(drop);
    catch_unwind(AssertUnwindSafe(poll)).map_err(|panic| crate::panic::message(&*panic))
}

#[inline]
fn speak_http1<I: Io, S: Handle>(io: Tracked<I>, service: S, record: &Arc<Record>) -> Http1<I, S> {
    http1::Builder::new()
        // A client that has sent its request and closed its half still wants the answer.
        .half_close(true)
        // The wrapper takes a flush for the end of what was written.
        .pipeline_flush(false)
        .serve_connection(TokioIo::new(io), Serve::new(service, Arc::clone(record)))
        .with_upgrades()
}

#[cfg(feature = "http2")]
fn speak_http2<I: Io, S: Handle>(io: Tracked<I>, service: S, record: &Arc<Record>) -> Http2<I, S> {
    let serve = Serve::new(service, Arc::clone(record));
    let mut builder = http2::Builder::new(Streams);
    builder.enable_connect_protocol();
    Box::pin(builder.serve_connection(TokioIo::new(io), serve))
}

impl<I: Io, S: Handle> Future for Connection<I, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.record.keep_waker(cx.waker());
        loop {
            // Read before hyper is polled: an order that arrives during the poll is obeyed after the next one,
            // or a request whose handler was not asked to end would be cut instead of answered. The order's
            // giver wakes this task, so there is a next one.
            let given = this.record.given();
            let directive = given.directive;
            let before = this.record.state.get();
            let stage = match &mut this.stage {
                Stage::Http1(connection) => {
                    match poll_http1(connection, &mut this.lifecycle, cx) {
                        Ok(Poll::Pending) => {}
                        Ok(Poll::Ready(())) => return this.over(),
                        Err(panic) => match this.answer_panic(&panic) {
                            Next::Over => return this.over(),
                            Next::Wait | Next::Again => continue,
                        },
                    }
                    #[cfg(feature = "http2")]
                    if this.record.state.has(state::HTTP2) {
                        this.change_to_http2();
                        continue;
                    }
                    let directive = if given.is_void(this.record.begun()) {
                        this.record.void(given);
                        Directive::None
                    } else {
                        directive
                    };
                    if directive == Directive::None {
                        if !this.note_state() {
                            return Poll::Pending;
                        }
                        // A client that asks again at once is never idle when the supervisor looks.
                        this.pass_on(before, cx)
                    } else if directive == Directive::PassOn {
                        this.record.done_with(directive);
                        this.pass_on(before, cx)
                    } else {
                        this.obey_http1(directive, before, cx)
                    }
                }
                #[cfg(feature = "http2")]
                Stage::Http2(connection) => {
                    if std::mem::take(&mut this.gathers) && directive == Directive::None {
                        // The first of them has woken this task, which then runs before the others: each response
                        // would be written by itself. Behind them, all are written at once.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    let begun = this.record.begun();
                    if connection.as_mut().poll(cx).is_ready() {
                        return this.over();
                    }
                    this.gathers = this.record.begun().wrapping_sub(begun) > 1;
                    if directive == Directive::None {
                        return Poll::Pending;
                    }
                    this.obey_http2(directive)
                }
                Stage::Last { io, answer } => {
                    if directive == Directive::Stalled && this.record.takes_nothing() {
                        this.record.set_fate(Fate::Cut);
                        return this.over();
                    }
                    // At the deadline the supervisor shuts the socket when it must.
                    if directive != Directive::Cut {
                        this.record.done_with(directive);
                    }
                    while !answer.is_empty() {
                        match ready!(Pin::new(&mut *io).poll_write(cx, answer)) {
                            Ok(0) | Err(_) => return this.over(),
                            Ok(count) => answer.advance(count),
                        }
                    }
                    let _ = ready!(Pin::new(&mut *io).poll_flush(cx));
                    let _ = ready!(Pin::new(&mut *io).poll_shutdown(cx));
                    return this.over();
                }
                Stage::Over => return Poll::Ready(()),
            };
            match stage {
                Next::Wait => {
                    this.note_state();
                    return Poll::Pending;
                }
                Next::Again => {}
                Next::Over => return this.over(),
            }
        }
    }
}

/// What follows after a directive.
enum Next {
    /// The directive is dealt with; wait for the next event.
    Wait,
    /// Poll once more.
    Again,
    /// The connection ends here.
    Over,
}

impl<I: Io, S: Handle> Drop for Connection<I, S> {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            self.end();
        }
    }
}

impl<I: Io, S: Handle> Connection<I, S> {
    /// A handler that drops with its connection has its handle still.
    fn end(&mut self) {
        if self.record.is_cut_short() {
            // An orderly end would look like a whole body.
            super::reset_on_close(&self.record);
        }
        let _entered = Entered::new(&mut self.lifecycle);
        self.stage = Stage::Over;
    }

    fn over(&mut self) -> Poll<()> {
        self.end();
        Poll::Ready(())
    }

    /// Does with an HTTP/1 connection what the record says; hyper has just been polled. `before`: its state before that.
    fn obey_http1(&mut self, directive: Directive, before: u32, cx: &mut Context<'_>) -> Next {
        use state::{ANSWERED, DIRTY, HEAD, HEAD_OUT, LATE, LINGER, REQUEST, UPGRADED};
        let record = Arc::clone(&self.record);
        let flags = record.state.get();
        let silent = flags & (HEAD | REQUEST | DIRTY | UPGRADED | LINGER) == 0;
        // One that the supervisor has answered is over.
        let half_head = flags & (HEAD | REQUEST | DIRTY | LINGER | LATE) == HEAD;
        match directive {
            Directive::None | Directive::Goaway | Directive::AssumePong | Directive::PassOn => {
                record.done_with(directive);
                Next::Wait
            }
            Directive::CloseIdle => {
                record.done_with(directive);
                if silent { self.close_silent(before, cx) } else { Next::Wait }
            }
            Directive::HeadTimeout => {
                record.done_with(directive);
                if half_head && record.is_late_head() {
                    self.answer_raw(late::raw_head_timeout())
                } else {
                    Next::Wait
                }
            }
            Directive::Gone if flags & REQUEST != 0 => Next::Over,
            Directive::Stalled if flags & DIRTY != 0 && record.takes_nothing() => self.cut_http1(),
            Directive::Gone | Directive::Stalled => {
                record.done_with(directive);
                Next::Wait
            }
            Directive::BodyTimeout
                if flags & REQUEST == 0 || flags & (HEAD_OUT | ANSWERED) == HEAD_OUT =>
            {
                // The handler answered meanwhile.
                record.done_with(directive);
                Next::Wait
            }
            Directive::BodyTimeout | Directive::RequestTimeout
                if flags & (REQUEST | DIRTY) == 0 =>
            {
                record.done_with(directive);
                Next::Wait
            }
            Directive::BodyTimeout | Directive::RequestTimeout | Directive::Cut => {
                if half_head {
                    record.count_half_head();
                    self.answer_raw(late::raw_unavailable(None))
                } else if silent && flags & ANSWERED == 0 {
                    self.close_silent(before, cx)
                } else if flags & (ANSWERED | LINGER) != 0 {
                    // Our answer is on its way: the supervisor shuts the socket when it must. Nothing else is asked of it,
                    // but that its peer takes it.
                    if directive != Directive::Cut {
                        record.done_with(directive);
                    }
                    Next::Wait
                } else if flags & (HEAD_OUT | DIRTY) != 0 && flags & UPGRADED == 0 {
                    self.cut_http1()
                } else {
                    Next::Wait
                }
            }
        }
    }

    /// Ends a connection in the middle of a response.
    fn cut_http1(&self) -> Next {
        self.record.set_fate(Fate::Cut);
        Next::Over
    }

    /// Closes a connection on which nothing is under way, unless the peer has just spoken. `before`: its state before hyper
    /// was last polled.
    fn close_silent(&mut self, before: u32, cx: &mut Context<'_>) -> Next {
        if self.record.remote().with(peek) == Some(peek::Seen::Bytes) {
            // On its way to us: the runtime will say so. If its readiness was seen before, ask for it again.
            cx.waker().wake_by_ref();
            return Next::Wait;
        }
        let bounded = self.is_bounded(before);
        let (mut io, read) = match self.take_apart(cx) {
            Ok(parts) => parts,
            Err(next) => return next,
        };
        let record = &self.record;
        // Empty lines before a request mean nothing (RFC 9112, section 2.2). Over TLS the beginning of a record may
        // have been read by this very poll.
        let spoke = !read.iter().all(|byte| b"\r\n".contains(byte))
            || io.has_replay()
            || record.state.has(state::HEAD)
            || record.remote().with(peek) == Some(peek::Seen::Bytes);
        if !spoke {
            record.set_fate(Fate::ClosedIdle);
            return Next::Over;
        }
        if !bounded {
            // hyper was done with the body, so this is a head. But the next hyper could be given the rest of the body for one.
            record.count_half_head();
            self.stage = Stage::Last { io, answer: late::raw_unavailable(None) };
            return Next::Again;
        }
        if !read.is_empty() {
            // Its time begins now, whatever a look at it sees first.
            record.touch();
            record.state.set(state::HEAD);
            io.unread(read);
        }
        self.begin_again(io);
        Next::Again
    }

    /// Whether what follows is the beginning of a request, or was one already. `before`: the state before hyper was last
    /// polled. A body that was dropped before that poll is off the connection, or has ended it; one that somebody may still
    /// read, or that was dropped since, may not be.
    fn is_bounded(&self, before: u32) -> bool {
        let flags = self.record.state.get();
        let left = flags & state::BODY_OPEN == 0 || before & state::BODY_LEFT != 0;
        left && state::is_at_a_boundary(flags)
    }

    /// Takes hyper off a connection that is at a boundary: the I/O, and what hyper has read and not used.
    ///
    /// Only hyper knows whether it still waits for something: asked to end, it does so at once only if it is idle
    /// itself. That cannot be undone: one that is not serves on, and closes behind its next response.
    fn take_apart(&mut self, cx: &mut Context<'_>) -> Result<(Tracked<I>, Bytes), Next> {
        let Stage::Http1(connection) = &mut self.stage else { return Err(Next::Wait) };
        let record = &self.record;
        // Its shutdown must not reach the socket yet, nor ever, by way of a duplicate.
        record.state.set(state::HOLD);
        Pin::new(&mut *connection).graceful_shutdown();
        let polled = poll_http1(connection, &mut self.lifecycle, cx);
        record.state.clear(state::HOLD);
        match polled {
            Ok(Poll::Ready(())) => self.take_parts().ok_or(Next::Over),
            Ok(Poll::Pending) => Err(Next::Wait),
            Err(panic) => Err(self.answer_panic(&panic)),
        }
    }

    fn take_parts(&mut self) -> Option<(Tracked<I>, Bytes)> {
        let Stage::Http1(connection) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let parts = connection.into_parts()?;
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// Has hyper begin anew.
    fn begin_again(&mut self, mut io: Tracked<I>) {
        io.begin_again();
        // It is at a boundary: what is left of a body is off the connection.
        self.record.state.clear(state::BODY_OPEN | state::BODY_LEFT);
        #[cfg(feature = "restart")]
        {
            self.fresh_at = self.record.begun();
        }
        self.stage = Stage::Http1(speak_http1(io, self.service.clone(), &self.record));
    }

    /// Passes the connection on to the successor, if nothing is under way on it. `before`: its state before hyper was
    /// last polled.
    #[cfg(feature = "restart")]
    fn pass_on(&mut self, before: u32, cx: &mut Context<'_>) -> Next {
        if !self.is_bounded(before) || !self.record.is_passable() {
            return Next::Wait;
        }
        let Some(release) = self.release else {
            self.record.state.set(state::KEPT);
            return Next::Wait;
        };
        // A new one to which no request has come has nothing but its buffer. It would not end with half a head in it.
        let parts = if self.record.begun() == self.fresh_at {
            self.take_parts().ok_or(Next::Over)
        } else {
            self.take_apart(cx)
        };
        let (mut io, read) = match parts {
            Ok(parts) => parts,
            Err(next) => {
                self.record.state.set(state::KEPT);
                return next;
            }
        };
        io.unread(read);
        if io.replays() > crate::parcel::MOST_READ_AHEAD {
            self.record.state.set(state::KEPT);
            self.begin_again(io);
            return Next::Again;
        }
        let (io, read_ahead, spoken, membership) = io.into_parts();
        let given = parcels::give(io, release, read_ahead, spoken, membership);
        let Err((io, read_ahead, membership)) = given else { return Next::Over };
        // There is no successor any more.
        let http2 = opening::protocol(spoken, &read_ahead);
        self.begin_again(Tracked::new(io, membership, http2, read_ahead));
        Next::Again
    }

    #[cfg(not(feature = "restart"))]
    fn pass_on(&mut self, _before: u32, _cx: &mut Context<'_>) -> Next {
        Next::Wait
    }

    /// What serves the request panicked, outside of its future: gives it its answer, if none has begun.
    fn answer_panic(&mut self, message: &str) -> Next {
        const ASKED: u32 = state::REQUEST | state::HEAD_OUT | state::BEHIND;
        let record = &self.record;
        note_panic(record, 0, "service", message);
        let method = record.method();
        let asks = record.state.get() & ASKED == state::REQUEST;
        if !asks || !record.claim(state::ANSWERED | state::DIRTY) {
            record.set_fate(Fate::Cut);
            return Next::Over;
        }
        record.end(0, Ending::Completed);
        self.answer_raw(late::raw_failed(&method.unwrap_or_default()))
    }

    /// Writes an answer in the place of hyper, and closes.
    fn answer_raw(&mut self, answer: Bytes) -> Next {
        let Some((io, _)) = self.take_parts() else { return Next::Over };
        self.stage = Stage::Last { io, answer };
        Next::Again
    }
}

#[cfg(feature = "http2")]
impl<I: Io, S: Handle> Connection<I, S> {
    /// The first bytes turned out to be HTTP/2's preface.
    fn change_to_http2(&mut self) {
        let Stage::Http1(connection) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        let Some(parts) = connection.into_parts() else { return };
        let io = parts.io.into_inner();
        self.record.touch();
        self.stage = Stage::Http2(speak_http2(io, self.service.clone(), &self.record));
    }

    /// Does with an HTTP/2 connection what the record says.
    fn obey_http2(&mut self, directive: Directive) -> Next {
        let Stage::Http2(connection) = &mut self.stage else { return Next::Wait };
        let record = &self.record;
        let flags = record.state.get();
        match directive {
            Directive::None
            | Directive::PassOn
            | Directive::HeadTimeout
            | Directive::Gone
            | Directive::BodyTimeout
            | Directive::RequestTimeout => {
                record.done_with(directive);
                Next::Wait
            }
            Directive::Stalled => {
                record.set_fate(Fate::Cut);
                Next::Over
            }
            Directive::Goaway => {
                record.done_with(directive);
                record.note_goaway();
                connection.as_mut().graceful_shutdown();
                Next::Again
            }
            Directive::AssumePong => {
                record.done_with(directive);
                record.note_pong();
                record.state.set(state::PONG);
                Next::Again
            }
            Directive::CloseIdle => {
                record.done_with(directive);
                if flags & state::SETTLED != 0 && flags & (state::REQUEST | state::DIRTY) != 0 {
                    return Next::Wait;
                }
                record.set_fate(Fate::ClosedIdle);
                Next::Over
            }
            Directive::Cut if flags & state::SETTLED == 0 => Next::Over,
            // Its streams end one by one, on tasks of their own, and h2 closes once the last of them is
            // written; the supervisor shuts the socket when it must.
            Directive::Cut if !self.cut => {
                self.cut = true;
                record.note_goaway();
                record.state.set(state::PONG);
                connection.as_mut().graceful_shutdown();
                Next::Again
            }
            Directive::Cut => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests;
