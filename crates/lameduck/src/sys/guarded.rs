//! A stream whose descriptor others may borrow for a moment, but never after it was closed.

use std::io;
use std::mem::MaybeUninit;
#[cfg(feature = "restart")]
use std::os::fd::OwnedFd;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Pieces that are no more than this together are copied into one: send(2) of one costs 0.2 µs less than writev(2) of two
/// (`scripts/bench pieces`).
const GATHERED: usize = 4096;

/// Calls `f` with the pieces as one; `None` where they are too large for that to be worth it.
#[inline]
pub(crate) fn gather<R>(bufs: &[io::IoSlice<'_>], f: impl FnOnce(&[u8]) -> R) -> Option<R> {
    if bufs.iter().map(|buf| buf.len()).sum::<usize>() > GATHERED {
        return None;
    }
    let mut memory = [const { MaybeUninit::uninit() }; GATHERED];
    let mut piece = ReadBuf::uninit(&mut memory);
    for buf in bufs {
        piece.put_slice(buf);
    }
    Some(f(piece.filled()))
}

/// Streams that keep one descriptor from their making until their drop.
pub(crate) trait Owning: AsRawFd + AsyncRead + AsyncWrite + Unpin {
    /// The socket, known to no runtime any more: the registration belongs to what all duplicates of the descriptor
    /// share, and would outlive a plain close.
    #[cfg(feature = "restart")]
    fn into_fd(self) -> io::Result<OwnedFd>;
}

macro_rules! owning {
    ($($stream:ty),*) => {$(
        impl Owning for $stream {
            #[cfg(feature = "restart")]
            fn into_fd(self) -> io::Result<OwnedFd> {
                self.into_std().map(OwnedFd::from)
            }
        }
    )*};
}

owning!(TcpStream, UnixStream);

/// The far end of a [`Guarded`] stream: borrows its descriptor while it is open.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    fd: Mutex<Option<RawFd>>,
}

impl Remote {
    /// Calls `f` with the descriptor, or returns `None` if the stream is gone. The stream cannot be closed
    /// while `f` runs, so `f` must not wait.
    pub(crate) fn with<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
        let fd = self.fd.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the descriptor is open: `Guarded` put it here from a stream that it owns, and takes it
        // away under this lock, which is held until `f` returns, before it lets that stream go.
        fd.map(|fd| f(unsafe { BorrowedFd::borrow_raw(fd) }))
    }

    fn set(&self, fd: Option<RawFd>) {
        *self.fd.lock().unwrap_or_else(PoisonError::into_inner) = fd;
    }
}

/// What has a [`Remote`] among other things: always the same one.
pub(crate) trait Far {
    fn remote(&self) -> &Remote;

    /// Whether another process may hold the same socket: it is then shut before it is closed, since closing alone
    /// says nothing to the peer.
    #[cfg(feature = "restart")]
    fn is_shared(&self) -> bool {
        false
    }
}

/// Revokes a [`Remote`] when it drops.
#[derive(Debug)]
struct Lease<F: Far>(Arc<F>);

impl<F: Far> Drop for Lease<F> {
    fn drop(&mut self) {
        let remote = self.0.remote();
        #[cfg(feature = "restart")]
        if self.0.is_shared() {
            remote.with(|fd| rustix::net::shutdown(fd, rustix::net::Shutdown::Both));
        }
        remote.set(None);
    }
}

/// A stream that revokes its [`Remote`] before it closes.
#[derive(Debug)]
pub(crate) struct Guarded<T: Owning, F: Far> {
    /// Before the stream, so that it drops first.
    #[cfg_attr(not(feature = "restart"), expect(dead_code, reason = "only its drop matters"))]
    lease: Lease<F>,
    stream: T,
}

impl<T: Owning, F: Far> Guarded<T, F> {
    /// Guards a stream. Its remote is valid until the guard drops.
    pub(crate) fn new(stream: T, far: Arc<F>) -> Guarded<T, F> {
        far.remote().set(Some(stream.as_raw_fd()));
        Guarded { lease: Lease(far), stream }
    }

    /// Lets the stream go without a word to its peer.
    ///
    /// # Errors
    /// The runtime does not let go of it; it is closed then.
    #[cfg(feature = "restart")]
    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        let Guarded { lease, stream } = self;
        lease.0.remote().set(None);
        // Its remote is gone, so that this shuts nothing.
        drop(lease);
        stream.into_fd()
    }
}

impl<T: Owning, F: Far> AsyncRead for Guarded<T, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: Owning, F: Far> AsyncWrite for Guarded<T, F> {
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
        let mut stream = Pin::new(&mut self.stream);
        let written = gather(bufs, |piece| stream.as_mut().poll_write(cx, piece));
        written.unwrap_or_else(|| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
