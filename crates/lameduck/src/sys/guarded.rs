//! A stream whose descriptor others may borrow for a moment, but never after it was closed.

use std::io;
#[cfg(feature = "restart")]
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Streams that keep one descriptor from their making until their drop.
pub(crate) trait Owning: AsRawFd + AsyncRead + AsyncWrite + Unpin {
    /// Ready once something can be read, or the peer ended its stream, or it failed. Reads nothing.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// The socket, known to no runtime any more: the registration belongs to what all duplicates of the descriptor
    /// share, and would outlive a plain close.
    #[cfg(feature = "restart")]
    fn into_fd(self) -> io::Result<OwnedFd>;
}

macro_rules! owning {
    ($($stream:ty),*) => {$(
        impl Owning for $stream {
            fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
                // tokio takes a new socket for readable until it was seen not to be.
                while ready!(self.poll_read_ready(cx)).is_ok() {
                    let seen = self.try_io(Interest::READABLE, || peek(self.as_fd()));
                    if !seen.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                        break;
                    }
                }
                Poll::Ready(())
            }

            #[cfg(feature = "restart")]
            fn into_fd(self) -> io::Result<OwnedFd> {
                self.into_std().map(OwnedFd::from)
            }
        }
    )*};
}

owning!(TcpStream, UnixStream);

fn peek(fd: BorrowedFd<'_>) -> io::Result<()> {
    recv(fd, &mut [0; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
    Ok(())
}

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

    /// See [`Owning::poll_readable`].
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_readable(cx)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
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
