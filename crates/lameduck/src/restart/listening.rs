//! The sockets that this process listens on, kept to be handed to a successor.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use super::environment::Said;

/// Duplicates of the sockets that this process listens on.
///
/// They must be let go before a listener is closed: a socket that has a second descriptor goes on listening.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    sockets: Mutex<Vec<One>>,
}

#[derive(Debug)]
struct One {
    name: String,
    declared: String,
    foreign: bool,
    /// Whether this process can be the only one that holds it.
    may_be_alone: bool,
    descriptor: OwnedFd,
}

impl Listening {
    /// Keeps a duplicate. Without one, since no descriptor is left, a successor will bind for itself.
    /// `foreign`: another program made it; `may_be_alone`: and has let it go, or none has.
    pub(crate) fn keep(
        &self,
        name: &str,
        declared: &str,
        (foreign, may_be_alone): (bool, bool),
        socket: BorrowedFd<'_>,
    ) {
        if let Ok(descriptor) = socket.try_clone_to_owned() {
            self.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(One {
                name: name.to_owned(),
                declared: declared.to_owned(),
                foreign,
                may_be_alone,
                descriptor,
            });
        }
    }

    /// Whether this process can be the only one that holds the socket of this server.
    pub(super) fn may_be_alone(&self, name: &str) -> bool {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.iter().any(|one| one.name == name && one.may_be_alone)
    }

    /// Lets all of them go.
    pub(crate) fn let_go(&self) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Duplicates of them, to be handed to a successor under the numbers that they have here.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn duplicates(&self) -> std::io::Result<(Vec<Said>, Vec<OwnedFd>)> {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut said = Vec::with_capacity(sockets.len());
        let mut descriptors = Vec::with_capacity(sockets.len());
        for one in &*sockets {
            let descriptor = one.descriptor.try_clone()?;
            said.push(Said {
                name: one.name.clone(),
                number: descriptor.as_raw_fd(),
                foreign: one.foreign,
                declared: one.declared.clone(),
            });
            descriptors.push(descriptor);
        }
        Ok((said, descriptors))
    }
}
