//! The socket of one child.

use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, UCred, recvmsg,
};
use rustix::process::{Pid, geteuid};

use super::NOTIFY_SOCKET;
use super::message::{Message, NOT_EXECUTED};
use crate::processes::Processes;

/// The socket of one child.
#[derive(Debug)]
pub(crate) struct NotifySocket {
    socket: UnixDatagram,
    name: String,
}

/// What came, and whether it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// From one that may speak for the child.
    Message(Message),
    /// From somebody else: its process id.
    Stranger(i32),
}

/// More than sd_notify(3) allows in one message (4 KiB).
const LONGEST: usize = 8 * 1024;

impl NotifySocket {
    /// A new one, for a child with this number.
    pub(crate) fn new(number: u32) -> io::Result<Self> {
        // So that nobody can be there before us. It is no secret: the sender is what counts.
        let random = RandomState::new().build_hasher().finish();
        let name = format!("lameduck-run-{}-{number}-{random:016x}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        set_socket_passcred(&socket, true)?;
        Ok(Self { socket, name })
    }

    /// What the child's variable says.
    pub(crate) fn variable(&self) -> String {
        format!("@{}", self.name)
    }

    /// The next message, if one has come. `child` is whose it has to be.
    pub(crate) fn hear(&self, child: Pid) -> Option<Heard> {
        let mut bytes = [0; LONGEST];
        // Room for one sender and for no descriptor: the kernel closes those that come along.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags).ok()?;
        let mut sender = None;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                sender = Some(credentials);
            }
        }
        let whole = !received.flags.contains(ReturnFlags::TRUNC);
        let message =
            if whole { Message::read(&bytes[..received.bytes]) } else { Message::default() };
        Some(match sender {
            Some(sender) if may_speak(&sender, child) => Heard::Message(message),
            Some(sender) => Heard::Stranger(sender.pid.as_raw_nonzero().get()),
            None => Heard::Stranger(0),
        })
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Root and our own user may, since they could do worse; anybody else only as a part of the child: one that has given
/// up its privileges. (A helper like systemd-notify(1) may be gone when we look.)
fn may_speak(sender: &UCred, child: Pid) -> bool {
    if sender.uid.is_root() || sender.uid == geteuid() {
        return true;
    }
    let (sender, child) = (sender.pid.as_raw_nonzero().get(), child.as_raw_nonzero().get());
    sender == child || Processes::now().belongs(sender, child)
}

/// Sends text to where a `NOTIFY_SOCKET` variable says.
pub(crate) fn send(place: &OsStr, text: &str) -> io::Result<()> {
    let address = match place.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold us up.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

/// From the [step](crate::step) to `lameduck run`: the command could not be executed.
pub(crate) fn say_not_executed(error: i32) {
    if let Some(place) = std::env::var_os(NOTIFY_SOCKET) {
        // Who does not hear it sees the exit code.
        let _ = send(&place, &format!("{NOT_EXECUTED}={error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Pid {
        rustix::process::getpid()
    }

    #[test]
    fn what_was_sent_is_heard_once_and_then_nothing() {
        let socket = NotifySocket::new(1).unwrap();
        send(OsStr::new(&socket.variable()), "READY=1\n").unwrap();
        let message = Message { ready: true, not_executed: None };
        assert_eq!(socket.hear(me()), Some(Heard::Message(message)));
        assert_eq!(socket.hear(me()), None);
    }

    #[test]
    fn a_message_that_is_too_long_means_nothing() {
        let socket = NotifySocket::new(1).unwrap();
        let text = format!("READY=1\nSTATUS={}", "x".repeat(LONGEST));
        send(OsStr::new(&socket.variable()), &text).unwrap();
        assert_eq!(socket.hear(me()), Some(Heard::Message(Message::default())));
    }

    #[test]
    fn another_user_may_speak_only_as_a_part_of_the_child() {
        let stranger = |pid| UCred {
            pid,
            uid: rustix::process::Uid::from_raw(12_345),
            gid: rustix::process::Gid::from_raw(1),
        };
        let init = Pid::INIT;
        assert!(may_speak(&stranger(me()), me()));
        assert!(!may_speak(&stranger(init), me()));
        assert!(may_speak(&UCred { uid: geteuid(), ..stranger(init) }, me()));
    }
}
