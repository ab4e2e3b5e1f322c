//! The I/O object of a connection: passes bytes between hyper and the transport, notes in the connection's
//! record what they say about its state, finds out whether the peer speaks HTTP/2 where nobody knows yet, and
//! closes so that unread bytes do not destroy the last response. As long as it lives, the connection is counted.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::frames::{Frames, PONG, PREFACE};
use super::opening::UNMISTAKABLE;
use super::{cork, peek};
use crate::connections::{Membership, Mode, Record, state};
use crate::sys::unacknowledged;

/// How long a closed half is read on (RFC 9112, section 9.6, asks for "a while").
const LINGER: Duration = Duration::from_secs(1);
/// How often that is done in ordinary life for an HTTP/2 peer that has not got all of its responses.
const SERVING_LINGERS: u8 = 10;

/// What a head ends with.
const END_OF_HEAD: u32 = u32::from_be_bytes(*b"\r\n\r\n");

/// The last four bytes of what was given before and these.
#[inline]
fn tail_of(before: u32, new: &[u8]) -> u32 {
    match new.last_chunk() {
        Some(last) => u32::from_be_bytes(*last),
        None => new.iter().fold(before, |tail, byte| tail << 8 | u32::from(*byte)),
    }
}

/// Which protocol the bytes speak.
#[derive(Debug)]
enum Speech {
    /// The first bytes are still to come, or are the beginning of HTTP/2's preface so far.
    Unknown,
    Http1,
    Http2 {
        received: Frames,
        sent: Frames,
    },
}

impl Speech {
    fn http2() -> Speech {
        Speech::Http2 { received: Frames::of_client(), sent: Frames::of_server() }
    }
}

/// The I/O object of a connection.
#[derive(Debug)]
pub(super) struct Tracked<I> {
    io: I,
    /// Bytes that were read before and are to be read again.
    replay: Bytes,
    speech: Speech,
    /// HTTP/1: the last four bytes that hyper was given. After a head's end it can hold back no more than empty lines.
    tail: u32,
    /// The end of the peer's stream was read: nothing comes behind it.
    ended: bool,
    closing: Closing,
    /// Behind `io`, so that the descriptor is closed before the record is told.
    membership: Membership,
}

#[derive(Debug)]
enum Closing {
    No,
    /// Our half is closed; the peer's is read on until then, and longer where an HTTP/2 peer has not got all:
    /// in a drain until its deadline, else `left` times.
    Lingers {
        until: Pin<Box<Sleep>>,
        left: u8,
    },
    Done,
}

impl<I> Tracked<I> {
    /// Tracks the connection's I/O. `http2`: it is known to be HTTP/2, by ALPN for instance; `None`: look. `replay`: what
    /// was read before, to be read again.
    #[inline]
    pub(super) fn new(
        io: I,
        membership: Membership,
        http2: Option<bool>,
        replay: Bytes,
    ) -> Tracked<I> {
        let speech = match http2 {
            None => Speech::Unknown,
            Some(false) => Speech::Http1,
            Some(true) => {
                membership.record().state.set(state::HTTP2);
                Speech::http2()
            }
        };
        let (tail, ended, closing) = (END_OF_HEAD, false, Closing::No);
        Tracked { io, replay, speech, tail, ended, closing, membership }
    }

    /// What it gives from now on is for another hyper, which holds nothing yet.
    pub(super) fn begin_again(&mut self) {
        self.tail = END_OF_HEAD;
    }

    pub(super) fn record(&self) -> &Arc<Record> {
        self.membership.record()
    }

    /// Gives bytes that hyper has read, but not used, back to be read again, before those that already wait
    /// for that.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.replay = if self.replay.is_empty() {
            bytes
        } else {
            [bytes, self.replay.clone()].concat().into()
        };
    }

    /// How many bytes wait to be read again.
    #[cfg(feature = "restart")]
    pub(super) fn replays(&self) -> usize {
        self.replay.len()
    }

    /// Takes it apart: the transport, the bytes that wait to be read again, whether they are known to be HTTP/1, and the
    /// membership.
    #[cfg(feature = "restart")]
    pub(super) fn into_parts(self) -> (I, Bytes, bool, Membership) {
        let spoken = matches!(self.speech, Speech::Http1);
        (self.io, self.replay, spoken, self.membership)
    }

    /// Whether bytes wait to be read again.
    pub(super) fn has_replay(&self) -> bool {
        !self.replay.is_empty()
    }

    /// Gives of what is to be read again what fits.
    fn put_replay(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.replay.len().min(buf.remaining());
        buf.put_slice(&self.replay[..count]);
        self.replay.advance(count);
        if self.replay.is_empty() {
            // Its memory is not held for the connection's life.
            self.replay = Bytes::new();
        }
    }

    /// Decides between HTTP/1 and HTTP/2. `true`: the bytes belong to HTTP/2, or may yet, and are kept back.
    fn listen_for_preface(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> bool {
        let new = &buf.filled()[before..];
        let seen = self.replay.len() + new.len();
        let starts_as_preface = {
            let first = self.replay.iter().chain(new).take(PREFACE.len());
            first.zip(PREFACE).all(|(byte, expected)| byte == expected)
        };
        if !starts_as_preface {
            self.speech = Speech::Http1;
            if self.replay.is_empty() {
                return false;
            }
            // The first bytes were held back: all goes through `replay` once.
            self.replay = [&self.replay, new].concat().into();
            buf.set_filled(before);
            self.put_replay(buf);
            return false;
        }
        self.replay = [&self.replay, new].concat().into();
        buf.set_filled(before);
        if seen >= UNMISTAKABLE {
            self.speech = Speech::http2();
            let record = self.record();
            record.state.clear(state::HEAD);
            record.state.set(state::HTTP2 | state::SPOKEN);
        }
        true
    }
}

impl<I: AsyncRead + Unpin> Tracked<I> {
    /// HTTP/1: notes what the new bytes say, which are some. `false`: they meant nothing and are gone; read on.
    #[inline(always)]
    fn hear_http1(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> bool {
        let record = self.membership.record();
        let flags = record.state.get();
        // Behind a request whose body nobody has read it is the rest of that, which hyper skips, as far as anybody but hyper
        // can tell.
        if flags & (state::REQUEST | state::HEAD | state::BODY_OPEN) == 0 {
            if matches!(buf.filled()[before..].first(), Some(b'\r' | b'\n')) {
                if !self.hear_lines(buf, before) {
                    return false;
                }
            } else {
                record.state.set(state::HEAD | state::SPOKEN);
            }
        }
        self.tail = tail_of(self.tail, &buf.filled()[before..]);
        true
    }

    /// The same where no request is under way and the new bytes begin with the end of a line.
    #[cold]
    fn hear_lines(&self, buf: &mut ReadBuf<'_>, before: usize) -> bool {
        let record = self.record();
        // The end of a head of which hyper has read the rest along with the request before is no empty line.
        if self.tail == END_OF_HEAD && !strip_empty_lines(buf, before) {
            record.state.set(state::SPOKEN);
            return false;
        }
        // Behind a body they are empty lines, or the end of a head that hyper has: it knows.
        let lines = buf.filled()[before..].iter().all(|byte| b"\r\n".contains(byte));
        record.state.set(if lines { state::SPOKEN } else { state::HEAD | state::SPOKEN });
        true
    }

    /// Reads where the protocol is not yet known, or HTTP/2, or something is to be read again.
    fn poll_read_otherwise(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let before = buf.filled().len();
            let replays = !self.replay.is_empty() && !matches!(self.speech, Speech::Unknown);
            if replays {
                self.put_replay(buf);
            } else {
                if let Speech::Http2 { received: frames, .. } = &self.speech
                    && self.membership.record().state.has(state::PONG)
                    && frames.at_boundary()
                    && buf.remaining() >= PONG.len()
                {
                    self.membership.record().state.clear(state::PONG);
                    if !frames.has_ponged() {
                        buf.put_slice(&PONG);
                        return Poll::Ready(Ok(()));
                    }
                }
                ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
            }
            if buf.filled().len() == before {
                if matches!(self.speech, Speech::Unknown) && !self.replay.is_empty() {
                    // The peer ended in the middle of what could have become a preface.
                    self.speech = Speech::Http1;
                    continue;
                }
                return Poll::Ready(Ok(()));
            }
            match &mut self.speech {
                Speech::Unknown => {
                    let record = self.membership.record();
                    if !record.state.has(state::HEAD) {
                        if !strip_empty_lines(buf, before) {
                            record.state.set(state::SPOKEN);
                            continue;
                        }
                        record.state.set(state::HEAD | state::SPOKEN);
                    }
                    if !self.listen_for_preface(buf, before) {
                        self.tail = tail_of(self.tail, &buf.filled()[before..]);
                        return Poll::Ready(Ok(()));
                    }
                    if matches!(self.speech, Speech::Http2 { .. }) {
                        // The connection's task sees the flag and changes over to HTTP/2.
                        return Poll::Pending;
                    }
                }
                Speech::Http1 => {
                    if self.hear_http1(buf, before) {
                        return Poll::Ready(Ok(()));
                    }
                }
                Speech::Http2 { received: frames, .. } => {
                    frames.feed(&buf.filled()[before..]);
                    let record = self.membership.record();
                    if !record.state.has(state::SETTLED) && frames.is_settled() {
                        record.state.set(state::SETTLED);
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Tracked<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // A kept connection reads twice for each request: nothing but what that needs stands here.
        while matches!(this.speech, Speech::Http1) && this.replay.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                this.ended = buf.remaining() > 0;
                return Poll::Ready(Ok(()));
            }
            if this.hear_http1(buf, before) {
                return Poll::Ready(Ok(()));
            }
        }
        this.poll_read_otherwise(cx, buf)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Tracked<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let flags = self.before_write()?;
        let bufs = [io::IoSlice::new(buf)];
        let written = match self.write_last(flags, &bufs) {
            Some(count) => Ok(count),
            None => ready!(Pin::new(&mut self.io).poll_write(cx, buf)),
        };
        self.after_write(&written, &bufs);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let flags = self.before_write()?;
        let written = match self.write_last(flags, bufs) {
            Some(count) => Ok(count),
            None => ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs)),
        };
        self.after_write(&written, bufs);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper's HTTP/1 asks for this only once its own buffer is empty, so from then on everything is with
    /// the kernel.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        let record = self.record();
        let flags = record.state.get();
        if flags & state::DIRTY != 0 {
            if flags & state::BEHIND != 0 {
                // hyper holds the request behind until this is done, and does not look at it again by itself.
                cx.waker().wake_by_ref();
            }
            record.state.clear(state::DIRTY | state::BEHIND);
        }
        record.flushed();
        Poll::Ready(Ok(()))
    }

    /// Sends the end of the stream; where the peer's bytes are not all read, reads on for a while first, since
    /// closing a socket with unread bytes makes the kernel reset it and the peer lose our last response.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let flags = this.record().state.get();
        if flags & state::HOLD != 0 {
            return Poll::Ready(Ok(()));
        }
        if flags & state::UPGRADED != 0 {
            // Whoever has it ends one half, and goes on reading the other.
            return Pin::new(&mut this.io).poll_shutdown(cx);
        }
        loop {
            match &mut this.closing {
                Closing::Done => return Poll::Ready(Ok(())),
                Closing::No => {
                    let record = this.membership.record();
                    let closes_at_once = flags & (state::HTTP2 | state::LAST) == 0;
                    if closes_at_once && record.is_plain() && !this.is_unread() {
                        // The descriptor is closed next, which ends the stream as well: a system call less. Not so where a
                        // last response may wait for that: should a byte come in between, the kernel would reset, and
                        // drop it.
                        this.closing = Closing::Done;
                        continue;
                    }
                    ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
                    let record = this.membership.record();
                    if this.is_unread() || owes(record) {
                        // Whatever still comes is not answered any more.
                        record.state.clear(state::HEAD);
                        record.state.set(state::LINGER);
                        let until = Box::pin(tokio::time::sleep(LINGER));
                        this.closing = Closing::Lingers { until, left: SERVING_LINGERS };
                    } else {
                        this.closing = Closing::Done;
                    }
                }
                Closing::Lingers { until, left } => {
                    if until.as_mut().poll(cx).is_ready() {
                        *left = left.saturating_sub(1);
                        let (until, left) = (until.as_mut(), *left);
                        let draining = this.membership.record().server().mode() >= Mode::Draining;
                        if (draining || left > 0) && owes(this.membership.record()) {
                            until.reset(tokio::time::Instant::now() + LINGER);
                        } else {
                            this.closing = Closing::Done;
                        }
                        continue;
                    }
                    let mut dropped = [0; 8192];
                    let mut buf = ReadBuf::new(&mut dropped);
                    let read = ready!(Pin::new(&mut this.io).poll_read(cx, &mut buf));
                    if read.is_err() || buf.filled().is_empty() {
                        this.closing = Closing::Done;
                    }
                }
            }
        }
    }
}

/// Takes empty lines before a request's head away: they mean nothing (RFC 9112, section 2.2), so that a connection on
/// which nothing else comes is as idle as before. hyper would wait for the head behind them. `false`: nothing else
/// is there.
#[inline]
fn strip_empty_lines(buf: &mut ReadBuf<'_>, before: usize) -> bool {
    let read = buf.filled_mut();
    let new = &mut read[before..];
    if !matches!(new.first(), Some(b'\r' | b'\n')) {
        return true;
    }
    let empty = new.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let left = new.len() - empty;
    new.copy_within(empty.., 0);
    buf.set_filled(before + left);
    left > 0
}

/// Whether an HTTP/2 peer has not got all that was sent. Unlike one of HTTP/1, it goes on sending (WINDOW_UPDATE)
/// while it reads its last response: a socket that is closed by then answers with a reset, and drops the rest.
fn owes(record: &Record) -> bool {
    const END_OF_STREAM: usize = 1;
    record.state.has(state::HTTP2)
        && record.remote().with(unacknowledged).is_some_and(|bytes| bytes > END_OF_STREAM)
}

impl<I> Tracked<I> {
    /// Whether something of what the peer sent is not read.
    fn is_unread(&self) -> bool {
        let record = self.record();
        let waits = || record.remote().with(peek) == Some(peek::Seen::Bytes);
        record.state.has(state::BODY_OPEN | state::HEAD) || !self.ended && waits()
    }

    /// Writes what goes out with the end of the stream; `None`: it is no such thing.
    #[inline]
    fn write_last(&self, flags: u32, bufs: &[io::IoSlice<'_>]) -> Option<usize> {
        if cork::is_last(flags) { cork::send_last(self.record(), bufs) } else { None }
    }

    /// The state, unless nothing is to be written any more.
    fn before_write(&mut self) -> io::Result<u32> {
        let state = &self.record().state;
        let flags = state.get();
        if flags & state::LATE != 0 {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "answered by the supervisor"));
        }
        if flags & state::DIRTY == 0 {
            if flags & state::HTTP2 != 0 {
                // The peer's time to take it begins here, however long nothing was sent before.
                self.record().progressed();
            }
            state.set(state::DIRTY);
        }
        Ok(flags)
    }

    /// Notes that the peer takes what is sent, and on HTTP/2 whether some of that is of a response's body: a peer
    /// is not to be held for a reader because of what it is answered to its PINGs.
    fn after_write(&mut self, written: &io::Result<usize>, bufs: &[io::IoSlice<'_>]) {
        self.record().progressed();
        let (Speech::Http2 { sent, .. }, &Ok(count)) = (&mut self.speech, written) else {
            return;
        };
        let (mut left, mut data) = (count, false);
        for buf in bufs {
            let taken = left.min(buf.len());
            data |= sent.feed(&buf[..taken]);
            left -= taken;
            if left == 0 {
                break;
            }
        }
        if data {
            self.record().data_taken();
        }
    }
}

#[cfg(test)]
mod tests;
