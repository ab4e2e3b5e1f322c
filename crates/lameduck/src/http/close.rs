//! Closing a listener without losing a connection.
//!
//! Closing a listening TCP socket resets the connections in its accept queue and those whose
//! handshake is half done. So the kernel is made to drop new SYNs, the listener goes on accepting
//! until no handshake is under way on its port, the queue is emptied, and only then it closes.
//!
//! Must never drop SYNs on a socket that another process shares, never outlast its limit but for want of
//! descriptors, and never keep an accepted connection waiting: each is handed on at once.
//!
//! Not even this saves a connection:
//! - whose handshake takes longer than the limit (1 s, as the design has it);
//! - whose handshake takes longer than 250 ms, where the kernel cannot be asked, or has nothing to
//!   say because it answers every SYN with a cookie (`net.ipv4.tcp_syncookies=2`);
//! - that a flood of SYNs made the kernel answer with a cookie (`tcp_syncookies=1`, the default);
//! - of a socket that is shared, or on a kernel that allows no sink: those in the queue are served,
//!   those in a handshake are reset.

#[cfg(target_os = "linux")]
mod handshakes;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod sink;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod watch;

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

#[cfg(target_os = "linux")]
pub(crate) use self::program::LISTENER_TAKES_ALL;
use super::listen::{Accepted, Incoming, SocketFile};

/// The longest that closing may take, where there are descriptors.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// How long to wait for handshakes under way where the kernel cannot be asked: a round trip that
/// few clients exceed, and no longer than the idle grace, which runs meanwhile.
const BLIND: Duration = Duration::from_millis(250);

/// The most connections that can be waiting: the backlog that `listen` asks for.
const QUEUE: u32 = 4096;

/// The pause after descriptors or memory have run out.
const SHORTAGE: Duration = Duration::from_millis(10);

/// How a listener was closed. Displayed for the log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// New connections dropped by a sink, until the kernel said that no handshake was under way.
    Sink,
    /// New connections dropped by a sink for a fixed time: why the kernel could not be asked.
    SinkUnasked(String),
    /// A Unix socket: new connections refused, those waiting accepted. Exact.
    Refusing,
    /// Another process holds the socket too: what is in its queue, or on its way there, is that one's to accept.
    Shared,
    /// Accepted until the queue was empty: why nothing better was possible.
    Plain(String),
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sink => f.write_str("dropped new connections until no handshake was under way"),
            Self::SinkUnasked(reason) => write!(
                f,
                "dropped new connections for {} ms, since the kernel does not say which \
                 handshakes are under way ({reason})",
                BLIND.as_millis()
            ),
            Self::Refusing => f.write_str("refused new connections and accepted those waiting"),
            Self::Shared => {
                f.write_str(
                    "accepted until none was waiting; what comes is for the other process that holds the socket",
                )
            }
            Self::Plain(reason) => {
                write!(f, "accepted until none was waiting; a handshake may be cut off ({reason})")
            }
        }
    }
}

/// What closing a listener came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// How it was done.
    pub(crate) way: Way,
    /// How many connections were accepted meanwhile.
    pub(crate) accepted: usize,
    /// How many handshakes were still under way at the limit, as last seen; none where the kernel
    /// was not asked.
    pub(crate) handshakes_left: Option<usize>,
    /// Whether every connection that was waiting could be accepted; not so where descriptors
    /// were lacking to the end.
    pub(crate) emptied: bool,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Closed {
    /// Whether a connection may have been reset unheard, or certainly was.
    pub(crate) fn may_have_lost(&self) -> bool {
        let exact = match self.way {
            Way::Sink => self.handshakes_left == Some(0),
            // What comes to a shared socket is the other process's, unless that is gone after all, which cannot be seen
            // from here.
            Way::Refusing | Way::Shared => true,
            Way::SinkUnasked(_) | Way::Plain(_) => false,
        };
        !(exact && self.emptied)
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} accepted in {} ms", self.way, self.accepted, self.took.as_millis())?;
        if let Some(left @ 1..) = self.handshakes_left {
            write!(f, "; {left} still in their handshake were cut off")?;
        }
        if !self.emptied {
            f.write_str("; some that were waiting were cut off, for want of descriptors")?;
        }
        Ok(())
    }
}

/// Closes `incoming`. Every connection that is accepted until then is given to `accept` at once.
///
/// Takes 8 to 40 ms where nobody is connecting, a round trip of the slowest client where
/// somebody is, and no longer than `limit`, which begins now. Where descriptors have run out it tries
/// again every 10 ms, also past the limit, so that what waits is not reset for that. An own Unix
/// socket's file is removed first.
///
/// Dropping the future closes the listener at once, with the loss that it means.
pub(crate) async fn close(
    incoming: Incoming,
    mut accept: impl FnMut(Accepted),
    limit: Duration,
) -> Closed {
    let began = Instant::now();
    let deadline = began + limit;
    let mut accepted = 0;
    let mut accept = |connection| {
        accepted += 1;
        accept(connection);
    };
    let (way, handshakes_left, emptied) = match incoming {
        Incoming::Tcp { listener, exclusive } if exclusive.is_so() => {
            #[cfg(target_os = "linux")]
            let ask = handshakes::Diagnostics::open;
            #[cfg(not(target_os = "linux"))]
            let ask = ();
            close_tcp(listener, &mut accept, deadline, ask).await
        }
        Incoming::Tcp { listener, exclusive: _ } => {
            let emptied = empty_tcp(listener, &mut accept, deadline).await;
            (Way::Shared, None, emptied)
        }
        Incoming::Unix { listener, file, exclusive } => {
            let way = match exclusive.is_so() {
                true => refuse_new(&listener, file),
                false => Way::Shared,
            };
            let emptied = empty_unix(listener, &mut accept, deadline).await;
            (way, None, emptied)
        }
    };
    Closed { way, accepted, handshakes_left, emptied, took: began.elapsed() }
}

/// Closes a TCP listener that this process alone holds; `ask` opens what the kernel is asked with.
#[cfg(target_os = "linux")]
async fn close_tcp(
    listener: TcpListener,
    accept: &mut impl FnMut(Accepted),
    deadline: Instant,
    ask: fn() -> io::Result<handshakes::Diagnostics>,
) -> (Way, Option<usize>, bool) {
    use self::watch::{News, Watch};

    let listener = Arc::new(listener);
    let watch = match listener.local_addr() {
        Ok(local) => Watch::start(Arc::clone(&listener), local, deadline.into_std(), ask),
        Err(error) => Err(error),
    };
    let mut watch = match watch {
        Ok(watch) => watch,
        Err(error) => return plainly(listener, accept, deadline, error.to_string()).await,
    };
    let mut sink = None;
    let mut left = None;
    let mut way = Way::Sink;
    let mut end = deadline;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => accept(Accepted::Tcp(stream, peer)),
                Err(error) if is_of_one_connection(&error) => {}
                // For want of descriptors, most likely.
                Err(_) => sleep(SHORTAGE).await,
            },
            news = watch.next(), if way == Way::Sink => match news {
                Some(News::Opened(Ok(open), strays)) => {
                    sink = Some(open);
                    strays.into_iter().for_each(|stray| take_stray(stray, accept));
                }
                Some(News::Opened(Err(refusal), strays)) => {
                    strays.into_iter().for_each(|stray| take_stray(stray, accept));
                    return plainly(listener, accept, deadline, refusal.to_string()).await;
                }
                Some(News::Pending(pending)) => left = Some(pending),
                Some(News::Quiet) => {
                    left = Some(0);
                    break;
                }
                Some(News::Blind(error)) => {
                    way = Way::SinkUnasked(error.to_string());
                    left = None;
                    end = end.min(Instant::now() + BLIND);
                }
                // The time is up.
                None => break,
            },
            // Until the thread tells how it fared it holds the listener. It knows the deadline.
            () = tokio::time::sleep_until(end), if sink.is_some() => break,
        }
    }
    let Some(sink) = sink else {
        return plainly(listener, accept, deadline, "the thread that asks has ended".to_owned())
            .await;
    };
    // Empty the queue, close the listener, then look into the sink, and only then close it: the
    // order in which no SYN finds a way in. The thread has let go of the listener.
    let emptied = match Arc::try_unwrap(listener) {
        Ok(listener) => empty_tcp(listener, accept, deadline).await,
        Err(_held) => false,
    };
    let mut strays = Vec::new();
    sink.empty_into(&mut strays);
    strays.into_iter().for_each(|stray| take_stray(stray, accept));
    (way, left, emptied)
}

/// Elsewhere the kernel offers no way to turn new connections away.
#[cfg(not(target_os = "linux"))]
async fn close_tcp(
    listener: TcpListener,
    accept: &mut impl FnMut(Accepted),
    deadline: Instant,
    _ask: (),
) -> (Way, Option<usize>, bool) {
    let reason = "this system offers no way to turn new connections away";
    plainly(Arc::new(listener), accept, deadline, reason.to_owned()).await
}

/// Accepts until the queue is empty, then closes.
async fn plainly(
    listener: Arc<TcpListener>,
    accept: &mut impl FnMut(Accepted),
    deadline: Instant,
    reason: String,
) -> (Way, Option<usize>, bool) {
    let emptied = match Arc::try_unwrap(listener) {
        Ok(listener) => empty_tcp(listener, accept, deadline).await,
        Err(_held) => false,
    };
    (Way::Plain(reason), None, emptied)
}

/// Hands on a connection that the sink took.
#[cfg(target_os = "linux")]
fn take_stray(stray: socket2::Socket, accept: &mut impl FnMut(Accepted)) {
    let taken = stray.set_nonblocking(true).and_then(|()| {
        let stream = TcpStream::from_std(stray.into())?;
        let peer = stream.peer_addr()?;
        Ok(Accepted::Tcp(stream, peer))
    });
    // Else its client has gone already.
    if let Ok(connection) = taken {
        accept(connection);
    }
}

/// Accepts until the kernel says that the queue is empty, then closes; says whether it got there.
///
/// The kernel itself is asked: tokio remembers readiness, and may not have heard of the latest yet.
async fn empty_tcp(
    listener: TcpListener,
    accept: &mut impl FnMut(Accepted),
    deadline: Instant,
) -> bool {
    let Ok(listener) = listener.into_std() else { return false };
    let next = || {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(Accepted::Tcp(TcpStream::from_std(stream)?, peer))
    };
    empty(next, accept, deadline).await
}

/// Removes the file of a Unix listener and has the kernel refuse new connections.
///
/// After `shutdown(SHUT_RD)` Linux refuses them (`unix_stream_connect`), while `accept` goes on to
/// answer what is queued. There is no handshake that could be cut off: both happen under one lock.
fn refuse_new(listener: &tokio::net::UnixListener, file: Option<SocketFile>) -> Way {
    if let Some(file) = file {
        file.remove();
    }
    match SockRef::from(listener).shutdown(Shutdown::Read) {
        Ok(()) if cfg!(target_os = "linux") => Way::Refusing,
        Ok(()) => Way::Plain("this system may go on connecting".to_owned()),
        Err(error) => Way::Plain(error.to_string()),
    }
}

/// [`empty_tcp`] for a Unix listener.
async fn empty_unix(
    listener: tokio::net::UnixListener,
    accept: &mut impl FnMut(Accepted),
    deadline: Instant,
) -> bool {
    let Ok(listener) = listener.into_std() else { return false };
    let next = || {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(Accepted::Unix(UnixStream::from_std(stream)?))
    };
    empty(next, accept, deadline).await
}

/// Accepts by `next` until nothing is waiting. Lets other tasks run every 64 connections. Past the
/// deadline it tries as often as a queue has places, and no more: there may always be another.
/// With the pauses for want of descriptors that is 40 s: the drain deadline, which ends the process, comes first.
async fn empty(
    next: impl Fn() -> io::Result<Accepted>,
    accept: &mut impl FnMut(Accepted),
    deadline: Instant,
) -> bool {
    let (mut tried, mut late) = (0_u32, 0_u32);
    while late <= QUEUE {
        match next() {
            Ok(connection) => accept(connection),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(error) if is_of_one_connection(&error) => {}
            // Descriptors come back as connections end, and new ones are dropped meanwhile.
            Err(error) if is_shortage(&error) => sleep(SHORTAGE).await,
            // EINVAL: shut down, and empty.
            Err(error) => return error.kind() == io::ErrorKind::InvalidInput,
        }
        late += u32::from(Instant::now() >= deadline);
        tried = tried.wrapping_add(1);
        if tried.is_multiple_of(64) {
            tokio::task::yield_now().await;
        }
    }
    false
}

/// Whether descriptors or memory have run out: it may do later (accept(2)).
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Whether an error of `accept` concerns one connection, or none, and the next may succeed: Linux
/// passes the pending errors of a new connection on (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::INTR
                | Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::PERM
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::TIMEDOUT
        )
    )
}
