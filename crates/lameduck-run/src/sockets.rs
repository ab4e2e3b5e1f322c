//! The listening sockets: bound once, passed to every child.
//!
//! With them goes one descriptor more, by which a child can tell whether it holds them alone: the reading end of a
//! pipe that comes to its end when our own copies are closed.

use std::collections::HashSet;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;

use lameduck::command_support::{Bound, Leftover};

use crate::{Listen, RunError};

/// The sockets, as long as they are open, and what is to be tidied up after them.
#[derive(Debug)]
pub(crate) struct Sockets {
    open: Option<Open>,
    names: Vec<String>,
    leftovers: Vec<Leftover>,
}

#[derive(Debug)]
struct Open {
    bound: Vec<Bound>,
    held: PipeReader,
    /// Never written to.
    _holding: PipeWriter,
}

/// What one child gets.
#[derive(Debug)]
pub(crate) struct Copies {
    /// In the order of their names.
    pub(crate) sockets: Vec<OwnedFd>,
    /// At its end once our own copies are closed.
    pub(crate) held: OwnedFd,
}

impl Sockets {
    /// Binds all of them, or none.
    pub(crate) fn bind(listen: &[Listen]) -> Result<Self, RunError> {
        let mut names = HashSet::new();
        if let Some(twice) = listen.iter().find(|listen| !names.insert(&listen.name)) {
            return Err(RunError::SameName(twice.name.clone()));
        }
        let mut bound = Vec::new();
        for Listen { name, address } in listen {
            match Bound::new(address).and_then(blocking) {
                Ok(socket) => bound.push(socket),
                Err(why) => {
                    for socket in bound {
                        socket.close().remove();
                    }
                    return Err(RunError::Bind { name: name.clone(), why });
                }
            }
        }
        let (held, holding) = std::io::pipe().map_err(RunError::system("no pipe"))?;
        let names = listen.iter().map(|listen| listen.name.clone()).collect();
        let open = Open { bound, held, _holding: holding };
        Ok(Self { open: Some(open), names, leftovers: Vec::new() })
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Each name with where it listens, while they are open.
    pub(crate) fn places(&self) -> Vec<(&str, &str)> {
        let bound = self.open.iter().flat_map(|open| &open.bound);
        self.names.iter().map(String::as_str).zip(bound.map(Bound::local)).collect()
    }

    /// Copies for a child; none once they are closed.
    pub(crate) fn copies(&self) -> std::io::Result<Option<Copies>> {
        let Some(open) = self.open.as_ref().filter(|open| !open.bound.is_empty()) else {
            return Ok(None);
        };
        let sockets = open.bound.iter().map(Bound::duplicate).collect::<Result<_, _>>()?;
        Ok(Some(Copies { sockets, held: open.held.try_clone()?.into() }))
    }

    /// Closes our own copies: from here on the children hold them alone, and can tell.
    pub(crate) fn close(&mut self) {
        if let Some(Open { bound, held: _, _holding: holding }) = self.open.take() {
            self.leftovers.extend(bound.into_iter().map(Bound::close));
            // Last: by its end a child takes the sockets for its own.
            drop(holding);
        }
    }

    /// Closes them, and removes the files of Unix sockets.
    pub(crate) fn remove(mut self) {
        self.close();
        for leftover in self.leftovers {
            leftover.remove();
        }
    }
}

/// As systemd passes them: who wants a socket that does not block says so, and who does not know of it must not meet
/// EAGAIN.
fn blocking(socket: Bound) -> Result<Bound, String> {
    match rustix::io::ioctl_fionbio(&socket, false) {
        Ok(()) => Ok(socket),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn listen(text: &str) -> Listen {
        text.parse().unwrap()
    }

    #[test]
    fn a_child_sees_the_end_of_the_pipe_once_our_copies_are_closed_and_not_before() {
        let mut sockets = Sockets::bind(&[listen("http=127.0.0.1:0")]).unwrap();
        let first = sockets.copies().unwrap().unwrap();
        let second = sockets.copies().unwrap().unwrap();
        for copies in [&first, &second] {
            rustix::io::ioctl_fionbio(&copies.held, true).unwrap();
            let mut held = PipeReader::from(copies.held.try_clone().unwrap());
            assert_eq!(
                held.read(&mut [0]).unwrap_err().kind(),
                std::io::ErrorKind::WouldBlock,
                "another child holds none of it open"
            );
        }
        sockets.close();
        for copies in [first, second] {
            assert_eq!(PipeReader::from(copies.held).read(&mut [0]).unwrap(), 0);
        }
        assert!(sockets.copies().unwrap().is_none());
    }

    #[test]
    fn a_failed_bind_leaves_no_socket_file_behind() {
        let folder = std::env::temp_dir().join(format!("lameduck-run-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let first = format!("a=unix:{}/a.sock", folder.display());
        let error = Sockets::bind(&[listen(&first), listen("b=nonsense")]).unwrap_err();
        assert!(error.to_string().starts_with("--listen b: cannot listen on \"nonsense\": "));
        std::fs::remove_dir(&folder).expect("it is empty");
    }
}
