//! What brokers and databases have in common: a program that runs on a free port of 127.0.0.1, in a directory of its
//! own, until its test ends.

use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::command::ServerCommand;
use crate::port::free_port;
use crate::scratch::Scratch;
use crate::server::Server;

/// Longer than any test runs, of those that start one: they end it, or their process's end does.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) addr: SocketAddr,
    pub(crate) server: Server,
    /// Behind the server: removed after its end.
    pub(crate) scratch: Scratch,
}

impl Daemon {
    /// Starts what `command` makes of the address, and waits until `ask` gets its answer there.
    ///
    /// # Panics
    /// If it doesn't: with all that it printed.
    #[track_caller]
    pub(crate) fn start(
        scratch: Scratch,
        command: impl FnOnce(SocketAddr) -> ServerCommand,
        what: &str,
        mut ask: impl FnMut(SocketAddr) -> Result<()> + Send,
    ) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let server = command(addr).addr(addr).lifetime(LIFETIME).start();
        server.ready_when(what, || ask(addr));
        Self { addr, server, scratch }
    }
}
