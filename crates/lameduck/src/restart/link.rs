//! The private socket between predecessor and successor: one message at a time, each whole, with the descriptors that
//! belong to it (`SOCK_SEQPACKET`, unix(7); `SCM_RIGHTS`).
//!
//! It must never wait longer than it is told to, and lose no descriptor that it received: what nobody asks for is
//! closed.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use super::message::{LONGEST, Malformed, Message, WAVE};

/// How long a peer may take to make room for a message. It reads all that comes, and there are never more than a few.
const ROOM: Duration = Duration::from_secs(2);

/// One end of the socket.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// A message, and the descriptors that came with it: possibly fewer than were sent.
    Message(Message, Vec<OwnedFd>),
    /// Nothing is there now.
    Nothing,
    /// The other end is gone.
    End,
    /// Something that is no message.
    Malformed(Malformed),
    /// The socket failed.
    Failed(io::Error),
}

impl Link {
    /// Two ends, both closed on exec.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn pair() -> io::Result<(Link, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Link::new(ours), theirs))
    }

    /// An end that was inherited.
    pub(super) fn new(socket: OwnedFd) -> Link {
        // So that a wave fits whatever the system's default is; it may be capped, and a smaller one is no trouble.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, 2 * LONGEST);
        Link { socket }
    }

    /// Sends a message and copies of these descriptors.
    ///
    /// # Errors
    /// The other end is gone, or reads nothing for 2 s; `ETOOMANYREFS`: more descriptors are on their way than this
    /// user may have open; `EMSGSIZE`: the system allows no message of this size.
    pub(super) fn send(
        &self,
        message: &Message,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), Errno> {
        let bytes = message.encode();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(WAVE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::TOOMANYREFS);
        }
        let until = Instant::now() + ROOM;
        loop {
            let parts = [IoSlice::new(&bytes)];
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match sendmsg(&self.socket, &parts, &mut control, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Errno::TIMEDOUT);
                    }
                    let mut fds = [PollFd::new(&self.socket, PollFlags::OUT)];
                    let _ = poll(&mut fds, Timespec::try_from(left).ok().as_ref());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the next message that has come, without waiting.
    pub(super) fn receive(&self) -> Received {
        // One byte more than a message may have, to see that it has more.
        let mut bytes = vec![0; LONGEST + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(WAVE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = loop {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.socket, &mut parts, &mut control, flags) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Received::Nothing,
                Err(Errno::CONNRESET | Errno::PIPE) => return Received::End,
                Err(error) => return Received::Failed(error.into()),
            }
        };
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        if received.bytes == 0 {
            // No message is empty: the other end was closed.
            return Received::End;
        }
        if received.flags.contains(ReturnFlags::TRUNC) || received.bytes > LONGEST {
            return Received::Malformed(Malformed::Long);
        }
        // MSG_CTRUNC needs no look: whoever is short of descriptors counts what has come.
        match Message::decode(&bytes[..received.bytes]) {
            Ok(message) => Received::Message(message, descriptors),
            Err(malformed) => Received::Malformed(malformed),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
