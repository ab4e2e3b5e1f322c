//! The transport below TLS: passes bytes on, and knows what cannot be seen from above or in the socket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::records::Records;
use crate::connections::Record;

/// A transport whose records are followed.
#[derive(Debug)]
pub(super) struct Watched<I> {
    io: I,
    records: Records,
    has_read: bool,
    /// How many bytes the transport has taken, ever: what is written above may wait in TLS for longer.
    written: u64,
    record: Arc<Record>,
}

impl<I> Watched<I> {
    pub(super) fn new(io: I, record: Arc<Record>) -> Watched<I> {
        Watched { io, records: Records::default(), has_read: false, written: 0, record }
    }

    /// Whether the peer has sent anything.
    pub(super) fn has_read(&self) -> bool {
        self.has_read
    }

    /// Whether the last byte that was read is not the last one of its record.
    pub(super) fn is_in_the_middle(&self) -> bool {
        self.records.is_in_the_middle()
    }

    /// How many bytes the transport has taken.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    fn took(&mut self, count: usize) {
        self.written += count as u64;
        self.record.progressed();
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let new = &buf.filled()[before..];
        this.has_read |= !new.is_empty();
        this.records.feed(new);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.took(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.took(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
