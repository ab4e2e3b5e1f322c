//! Whether a process alone holds a listening socket.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether this process alone holds a listening socket, so that closing may turn new connections away.
#[derive(Clone, Debug)]
pub(crate) enum Exclusive {
    /// Another process holds it too.
    No,
    /// Nobody else does.
    Yes,
    /// Nobody else does once this pipe is at its end: whoever made the socket keeps the other end for as long as it
    /// keeps copies (`LAMEDUCK_LISTENERS_HELD`).
    OnceReleased(Arc<OwnedFd>),
}

impl Exclusive {
    /// Whether it is so now.
    pub(crate) fn is_so(&self) -> bool {
        match self {
            Exclusive::No => false,
            Exclusive::Yes => true,
            Exclusive::OnceReleased(pipe) => {
                let now = Timespec { tv_sec: 0, tv_nsec: 0 };
                let mut asked = [PollFd::new(pipe, PollFlags::empty())];
                // POLLHUP needs not be asked for (poll(2)). Whoever cannot be asked holds it.
                matches!(poll(&mut asked, Some(&now)), Ok(1..))
                    && asked[0].revents().contains(PollFlags::HUP)
            }
        }
    }
}

impl From<bool> for Exclusive {
    fn from(alone: bool) -> Exclusive {
        if alone { Exclusive::Yes } else { Exclusive::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_our_own_once_the_pipe_of_its_maker_ends_and_not_before() {
        let (ours, makers) = std::io::pipe().unwrap();
        let exclusive = Exclusive::OnceReleased(Arc::new(ours.into()));
        let another = exclusive.clone();
        assert!(!exclusive.is_so());
        drop(makers);
        assert!(exclusive.is_so() && another.is_so());
        assert!(Exclusive::from(true).is_so() && !Exclusive::from(false).is_so());
    }
}
