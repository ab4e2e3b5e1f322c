//! HAProxy in master-worker mode: <https://docs.haproxy.org/2.6/management.html>, section 4, "Stopping and restarting
//! HAProxy", and `expose-fd listeners` in section 3.1 of <https://docs.haproxy.org/2.6/configuration.html>. The master
//! executes itself anew; the new worker gets the listening sockets, the old one ends softly: it closes its idle
//! connections at once, unless `option idle-close-on-response` lets them ask once more.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{Reload, as_ordinary_user, ask, scratch, version};
use crate::Signal;
use crate::daemon::Daemon;
use crate::missing::Missing;
use crate::server::Server;
use crate::tool::Tool;

/// A running HAProxy. It ends on drop.
#[derive(Debug)]
pub struct Haproxy {
    program: PathBuf,
    idle_close_on_response: bool,
    daemon: Daemon,
}

impl Haproxy {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// HAProxy isn't installed.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn start() -> Result<Self, Missing> {
        Self::with(false)
    }

    /// The same with `option idle-close-on-response`, which keeps idle connections, and with them the old worker, until
    /// they ask or the keep-alive timeout ends them.
    ///
    /// # Errors
    /// HAProxy isn't installed.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn start_keeping_idle() -> Result<Self, Missing> {
        Self::with(true)
    }

    #[track_caller]
    fn with(idle_close_on_response: bool) -> Result<Self, Missing> {
        let program = Tool::Haproxy.find()?;
        let scratch = scratch();
        let dir = scratch.path().to_owned();
        let command = |addr| {
            let file = dir.join("haproxy.cfg");
            let text = configuration(addr, &dir, idle_close_on_response);
            fs::write(&file, text).expect("a directory of our own");
            as_ordinary_user(Server::command(&program).arg("-W").arg("-f").arg(file))
        };
        let daemon = Daemon::start(scratch, command, "answer", ask);
        Ok(Self { program, idle_close_on_response, daemon })
    }
}

fn configuration(addr: SocketAddr, dir: &Path, idle_close_on_response: bool) -> String {
    let option = if idle_close_on_response { "option idle-close-on-response" } else { "" };
    format!(
        "global
    stats socket {}/admin.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout server 30s
    timeout http-request 10s
    timeout client 10m
    timeout http-keep-alive 10m
    {option}
frontend public
    bind {addr}
    http-request return status 200 content-type text/plain string OK
",
        dir.display()
    )
}

impl Reload for Haproxy {
    fn name(&self) -> String {
        let option = if self.idle_close_on_response { ", `idle-close-on-response`" } else { "" };
        format!("HAProxy {}{option}", version(&self.program, "-v"))
    }

    fn addr(&self) -> SocketAddr {
        self.daemon.addr
    }

    fn how(&self) -> &'static str {
        "SIGUSR2 to the master"
    }

    fn reload(&mut self) -> Result<(), String> {
        self.daemon.server.signal(Signal::USR2);
        Ok(())
    }

    fn server(&self) -> &Server {
        &self.daemon.server
    }
}
