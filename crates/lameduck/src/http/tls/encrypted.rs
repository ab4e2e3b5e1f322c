//! The stream that HTTP runs on once the handshake is done.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::watched::Watched;
use crate::connections::{Fate, Record, state};

/// A TLS stream.
///
/// Invariants:
/// 1. While a record has begun that is not whole, and nothing else is under way, the connection counts as having a
///    part of a head ([`state::HEAD`]): a request may be on its way in it. It has the header timeout to become whole.
/// 2. close_notify goes out when the stream is shut down, and when it is dropped because it was silent or because
///    what it was upgraded to has ended; never when it is dropped otherwise.
pub(super) struct Encrypted<I: AsyncRead + AsyncWrite + Unpin> {
    stream: TlsStream<Watched<I>>,
    record: Arc<Record>,
    /// `HEAD` is set because of a record that is not whole, and for nothing else.
    half: bool,
    /// How long a peer that takes nothing is waited for at the end, and how much it had taken when that began.
    closing: Option<(Pin<Box<Sleep>>, u64)>,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Encrypted<I> {
    pub(super) fn new(stream: TlsStream<Watched<I>>, record: Arc<Record>) -> Encrypted<I> {
        let mut encrypted = Encrypted { stream, record, half: false, closing: None };
        // The last bytes of the handshake may have had the beginning of a request behind them.
        encrypted.note_half();
        encrypted
    }

    fn below(&self) -> &Watched<I> {
        self.stream.get_ref().0
    }

    /// Keeps invariant 1, after a read that brought nothing.
    fn note_half(&mut self) {
        const OTHERS: u32 = state::HEAD | state::REQUEST | state::HTTP2 | state::UPGRADED;
        let state = &self.record.state;
        let flags = state.get();
        if self.below().is_in_the_middle() {
            // While somebody may still read the last body it is more of that.
            if !self.half && flags & OTHERS == 0 && !state::has_body_to_read(flags) {
                state.set(state::HEAD | state::SPOKEN);
                self.half = true;
            }
        } else if self.half {
            // It was no request: an update of keys, for instance.
            state.clear(state::HEAD);
            self.half = false;
        }
    }

    /// When a peer that takes nothing has been waited for long enough.
    fn patience(&self) -> Instant {
        // A limit of `Duration::MAX` is more than a clock can count.
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        Instant::now() + self.record.server().limits().idle_timeout.min(YEAR)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_ready() {
            // What was read is a part of a head by itself.
            this.half = false;
        } else {
            this.note_half();
        }
        read
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Sends what is left, close_notify and the end of the stream. A peer that takes nothing of it for the idle
    /// time is given up.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.below().is_in_the_middle() {
            // Still sending: whoever closes has to read on, or the last response may be lost.
            this.record.state.set(state::HEAD);
        }
        if let Poll::Ready(done) = Pin::new(&mut this.stream).poll_shutdown(cx) {
            return Poll::Ready(done);
        }
        let written = this.below().written();
        let patience = this.patience();
        let (sleep, before) = this
            .closing
            .get_or_insert_with(|| (Box::pin(tokio::time::sleep_until(patience)), written));
        if *before != written {
            *before = written;
            sleep.as_mut().reset(patience);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Drop for Encrypted<I> {
    fn drop(&mut self) {
        let orderly = match self.record.fate() {
            Fate::ClosedIdle => true,
            // A WebSocket that said goodbye is dropped, not shut down.
            Fate::Closed => self.record.state.has(state::UPGRADED) && !std::thread::panicking(),
            Fate::Cut => false,
            // A socket with TLS in it is not.
            #[cfg(feature = "restart")]
            Fate::PassedOn => false,
        };
        if orderly {
            // One try: a socket that does not take these few bytes at once has a peer that does not read.
            let mut nobody = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut self.stream).poll_shutdown(&mut nobody);
        }
    }
}
