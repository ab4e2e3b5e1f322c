//! Servers that take a new configuration while they serve: what a restart of lameduck is compared with.
//!
//! Each is configured as its own documentation says, cited beside it, with two things that make the comparison fair: no
//! idle limit and no number of requests ends a connection during a run, so that whatever ends one is the reload. Each
//! answers `OK` to everything, and runs as an ordinary user, in a directory of its own.

mod caddy;
mod haproxy;
mod nginx;
mod reloads;

use std::io::{Error, Result};
use std::net::SocketAddr;

use crate::client::Client;
use crate::command::ServerCommand;
use crate::places::is_root;
use crate::scratch::Scratch;
use crate::{NOBODY, Server};
pub use caddy::Caddy;
pub use haproxy::Haproxy;
pub use nginx::Nginx;
pub use reloads::{Reloaded, Reloads};

/// A server that can be told to start anew without a stop.
pub trait Reload {
    /// What it is called, with its version.
    fn name(&self) -> String;

    /// Where it serves.
    fn addr(&self) -> SocketAddr;

    /// How it is told, for people.
    fn how(&self) -> &'static str;

    /// Tells it, in the way that its documentation names. It has been told when this returns, and is perhaps not done.
    ///
    /// # Errors
    /// It could not be told, or refused.
    fn reload(&mut self) -> std::result::Result<(), String>;

    /// The program: whose processes are counted, and what it printed.
    fn server(&self) -> &Server;
}

/// A directory for a server that runs as an ordinary user.
fn scratch() -> Scratch {
    if is_root() { Scratch::owned_by(NOBODY) } else { Scratch::new() }
}

fn as_ordinary_user(command: ServerCommand) -> ServerCommand {
    if is_root() { command.user(NOBODY) } else { command }
}

/// Whether it answers.
fn ask(addr: SocketAddr) -> Result<()> {
    let mut client = Client::connect_plain(addr).map_err(Error::other)?;
    client.get("/").map_err(Error::other)?;
    client.read_response().map(drop).map_err(Error::other)
}

/// The last word of what `program` prints on its version that looks like one.
fn version(program: &std::path::Path, flag: &str) -> String {
    let output = std::process::Command::new(program).arg(flag).output();
    let text = output.map_or_else(
        |_| String::new(),
        |output| {
            [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat()
        },
    );
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let version = words.find(|word| word.split('.').filter(|part| !part.is_empty()).count() == 3);
    version.unwrap_or("of unknown version").to_owned()
}
