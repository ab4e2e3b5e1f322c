//! Where the listeners of a service come from: a socket that was handed over, or else a fresh bind. Joins the store of
//! inherited sockets with HTTP, which know nothing of each other.

#[cfg(feature = "restart")]
use std::os::fd::AsFd;
use std::sync::Arc;

use tracing::Level;

use crate::http::listen::{Address, BindError, Listener, listens_at};
use crate::inherit::{Inherited, Socket};
use crate::lifecycle::Events;
#[cfg(feature = "restart")]
use crate::restart::Listening;

/// The sockets that a service may listen on.
#[derive(Clone, Debug, Default)]
pub(super) struct Sockets {
    inherited: Arc<Inherited>,
    /// Whether the user says that nobody else holds those from `LISTEN_FDS`.
    exclusive: bool,
    /// Where they are kept for a successor.
    #[cfg(feature = "restart")]
    listening: Option<Arc<Listening>>,
}

impl Sockets {
    pub(super) fn new(inherited: Inherited, exclusive: bool) -> Sockets {
        Sockets {
            inherited: Arc::new(inherited),
            exclusive,
            #[cfg(feature = "restart")]
            listening: None,
        }
    }

    /// The same, and every listener is kept for a successor too.
    #[cfg(feature = "restart")]
    pub(super) fn kept_in(mut self, listening: &Arc<Listening>) -> Sockets {
        self.listening = Some(Arc::clone(listening));
        self
    }

    /// As [`Sockets::open`], and the listener is kept for a successor.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub(super) fn listen(
        &self,
        name: &str,
        address: &Address,
        may_take_any: bool,
        events: &Events,
    ) -> Result<Listener, BindError> {
        let (listener, foreign) = self.open(name, address, may_take_any, events)?;
        #[cfg(feature = "restart")]
        if let Some(listening) = &self.listening {
            let whose = (foreign, !foreign || self.exclusive);
            listening.keep(name, &address.to_string(), whose, listener.as_fd());
        }
        #[cfg(not(feature = "restart"))]
        let _ = foreign;
        Ok(listener)
    }

    /// The listener of the server called `name`, which would listen on `address`. `may_take_any` says that it may
    /// have the only socket that nobody gave a name. And whether another program made it.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    fn open(
        &self,
        name: &str,
        address: &Address,
        may_take_any: bool,
        events: &Events,
    ) -> Result<(Listener, bool), BindError> {
        let declared = address.to_string();
        let is_there = |socket: &Socket| {
            let same = socket.declared.as_ref() == Some(&declared);
            same || listens_at(std::os::fd::AsFd::as_fd(socket), address)
        };
        let Some(socket) = self.inherited.take(name, may_take_any, is_there) else {
            return Listener::bind(address).map(|listener| (listener, false));
        };
        let elsewhere = match is_there(&socket) {
            true => String::new(),
            false => format!(", in the place of {address}"),
        };
        events.say(Level::INFO, format!("`{name}`: takes over the socket {socket}{elsewhere}"));
        // A predecessor still runs; whoever made a socket of LISTEN_FDS does so for good, if nobody says otherwise.
        let exclusive = socket.foreign && self.exclusive && socket.declared.is_none();
        let foreign = socket.foreign;
        let listener = Listener::inherited(socket.descriptor, exclusive, address)?;
        Ok((if foreign { listener.without_file() } else { listener }, foreign))
    }

    /// Closes what no server has taken, and says so.
    pub(super) fn close_unused(&self, events: &Events) {
        for socket in self.inherited.take_rest() {
            let text = format!(
                "the inherited socket {socket} is not used and was closed; no server is called so or listens there"
            );
            events.say(Level::WARN, text);
        }
    }
}
