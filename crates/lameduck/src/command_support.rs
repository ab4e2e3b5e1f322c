//! What the command `lameduck` shares with the library, so that an address and a time mean the same to both: no part
//! of the API, and free to change with every version.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::budget::Span;
use crate::http::listen::{Address, Listener, SocketFile};

/// A listening socket that was bound as the library binds its own, and that belongs to nobody's runtime.
#[derive(Debug)]
pub struct Bound {
    descriptor: OwnedFd,
    local: String,
    file: Option<SocketFile>,
}

impl Bound {
    /// Binds `address`, which is written as everywhere in lameduck: `127.0.0.1:8080`, `unix:/run/shop.sock`.
    ///
    /// # Errors
    /// One line: the address, what was wrong, what would be right.
    pub fn new(address: &str) -> Result<Self, String> {
        let address: Address = address
            .parse()
            .map_err(|error: crate::http::listen::AddressError| error.to_string())?;
        let listener = Listener::bind(&address).map_err(|error| error.to_string())?;
        let local = listener.local_addr().map_err(|error| format!("{address}: {error}"))?;
        let (descriptor, file) = match listener {
            Listener::Tcp { socket, .. } => (socket.into(), None),
            Listener::Unix { socket, file, .. } => (socket.into(), file),
        };
        Ok(Self { descriptor, local: local.to_string(), file })
    }

    /// Where it listens, with the port that the kernel chose where it was 0.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Another descriptor of the same socket.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        self.descriptor.try_clone()
    }

    /// Closes this process's own descriptor and leaves the file of a Unix socket where it is: others still serve it.
    /// What is returned removes the file.
    #[must_use]
    pub fn close(self) -> Leftover {
        Leftover(self.file)
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The file of a Unix socket that nobody serves any more, or soon.
#[derive(Debug)]
pub struct Leftover(Option<SocketFile>);

impl Leftover {
    /// Removes the file, unless another one has taken its place or it is gone already.
    pub fn remove(self) {
        if let Some(file) = self.0 {
            file.remove();
        }
    }
}

/// Reads a time such as `5s`, `250ms` or `1m30s`.
#[must_use]
pub fn read_time(text: &str) -> Option<Duration> {
    crate::budget::parse_span(text)
}

/// A time for people: `29 s`, `250 ms`.
#[must_use]
pub fn show_time(time: Duration) -> String {
    Span(time).to_string()
}
