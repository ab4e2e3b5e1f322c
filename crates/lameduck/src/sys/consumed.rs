//! What has gone through a TCP socket, whoever has read and written it.

use std::mem::{MaybeUninit, offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Two of the kernel's states of a TCP connection (`TCP_ESTABLISHED`, `TCP_CLOSE_WAIT`).
const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;

/// How much was read from a socket and written to it since it is connected, by all processes that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// What was read and written so far. `None` if it is no TCP connection that is open for writing, or the kernel does
/// not say (`TCP_INFO`, tcp(7); the bytes since Linux 4.1).
pub(crate) fn used(socket: BorrowedFd<'_>) -> Option<Used> {
    // Bytes may come and be acknowledged between two of the questions; then it is asked again.
    for _ in 0..8 {
        let before = info(socket)?;
        let unread = rustix::io::ioctl_fionread(socket).ok()?;
        let unacknowledged = u64::try_from(super::unacknowledged(socket)).ok()?;
        let after = info(socket)?;
        if before != after {
            continue;
        }
        let (state, received, acknowledged) = before;
        // An end of stream counts as one byte that came, and nobody reads it.
        let end = match state {
            ESTABLISHED => 0,
            CLOSE_WAIT => 1,
            _ => return None,
        };
        return Some(Used {
            read: received.checked_sub(end)?.checked_sub(unread)?,
            written: acknowledged.checked_add(unacknowledged)?,
        });
    }
    None
}

/// State, bytes received, bytes acknowledged.
fn info(socket: BorrowedFd<'_>) -> Option<(u8, u64, u64)> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the descriptor is borrowed, so it is open; the kernel writes no more than `size` bytes, which is how
    // large `info` is.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    let needed = offset_of!(libc::tcp_info, tcpi_bytes_received) + size_of::<u64>();
    if answer != 0 || usize::try_from(size).ok()? < needed {
        return None;
    }
    // SAFETY: all zeroes are a value of it, a struct of integers, and the kernel wrote integers over some of them.
    let info = unsafe { info.assume_init() };
    Some((info.tcpi_state, info.tcpi_bytes_received, info.tcpi_bytes_acked))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::{Duration, Instant};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client =
            TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (server, _) = listener.accept().expect("a connection");
        (client, server)
    }

    /// Waits until the kernel has as many unread bytes.
    fn unread(socket: &TcpStream, count: u64) {
        let until = Instant::now() + Duration::from_secs(5);
        while rustix::io::ioctl_fionread(socket).expect("a socket") != count {
            assert!(Instant::now() < until, "{count} bytes did not come");
            std::thread::yield_now();
        }
    }

    #[test]
    fn bytes_that_come_and_wait_change_nothing() {
        let (mut client, mut server) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n").expect("sent");
        unread(&server, 16);
        server.read_exact(&mut [0; 16]).expect("read");
        let mark = used(server.as_fd()).expect("a connection");
        client.write_all(b"GET").expect("sent");
        unread(&server, 3);
        assert_eq!(used(server.as_fd()), Some(mark));
    }

    #[test]
    fn a_byte_read_or_written_through_a_duplicate_is_seen() {
        let (mut client, server) = pair();
        let mut other = server.try_clone().expect("a descriptor");
        let mark = used(server.as_fd()).expect("a connection");
        client.write_all(b"G").expect("sent");
        unread(&server, 1);
        other.read_exact(&mut [0; 1]).expect("read");
        let read = used(server.as_fd()).expect("a connection");
        assert_ne!(read, mark);
        other.write_all(b"H").expect("sent");
        assert_ne!(used(server.as_fd()), Some(read));
        client.read_exact(&mut [0; 1]).expect("read");
        assert_ne!(used(server.as_fd()), Some(read), "also once the peer has it");
    }

    #[test]
    fn the_peers_end_of_stream_changes_nothing() {
        let (mut client, server) = pair();
        let mark = used(server.as_fd()).expect("a connection");
        client.write_all(b"GE").expect("sent");
        client.shutdown(Shutdown::Write).expect("ended");
        unread(&server, 2);
        let until = Instant::now() + Duration::from_secs(5);
        while info(server.as_fd()).expect("a connection").0 != CLOSE_WAIT {
            assert!(Instant::now() < until, "the end did not come");
            std::thread::yield_now();
        }
        assert_eq!(used(server.as_fd()), Some(mark));
    }

    #[test]
    fn a_connection_that_was_ended_or_reset_is_none_any_more() {
        let (client, server) = pair();
        server.try_clone().expect("a descriptor").shutdown(Shutdown::Write).expect("ended");
        assert_eq!(used(server.as_fd()), None);
        let (_keep, unix) = std::os::unix::net::UnixStream::pair().expect("descriptors");
        assert_eq!(used(unix.as_fd()), None);
        drop(client);
    }
}
