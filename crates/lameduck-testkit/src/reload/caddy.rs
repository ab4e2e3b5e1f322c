//! Caddy: <https://caddyserver.com/docs/command-line>, "caddy reload". One process; a new server takes over the
//! listener, the old one ends in order, without a limit on its time (`grace_period` is not set by default,
//! <https://caddyserver.com/docs/caddyfile/options>).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::nginx::run;
use super::{Reload, as_ordinary_user, ask, scratch, version};
use crate::daemon::Daemon;
use crate::missing::Missing;
use crate::port::free_port;
use crate::server::Server;
use crate::tool::Tool;

/// A running Caddy. It ends on drop.
#[derive(Debug)]
pub struct Caddy {
    program: PathBuf,
    daemon: Daemon,
}

impl Caddy {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Caddy isn't installed.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn start() -> Result<Self, Missing> {
        let program = Tool::Caddy.find()?;
        let scratch = scratch();
        let dir = scratch.path().to_owned();
        let command = |addr| {
            fs::write(dir.join("Caddyfile"), configuration(addr)).expect("a directory of our own");
            let command = Server::command(&program).arg("run").args(arguments(&dir));
            // Where it keeps its state.
            as_ordinary_user(
                command.env("HOME", &dir).env("XDG_DATA_HOME", &dir).env("XDG_CONFIG_HOME", &dir),
            )
        };
        let daemon = Daemon::start(scratch, command, "answer", ask);
        Ok(Self { program, daemon })
    }
}

fn configuration(addr: SocketAddr) -> String {
    format!(
        "{{
\tadmin 127.0.0.1:{}
\tauto_https off
\tservers {{
\t\ttimeouts {{
\t\t\tidle 10m
\t\t}}
\t}}
}}

http://:{} {{
\tbind {}
\trespond OK
}}
",
        free_port(),
        addr.port(),
        addr.ip()
    )
}

fn arguments(dir: &Path) -> [String; 4] {
    let file = dir.join("Caddyfile").display().to_string();
    ["--config", &file, "--adapter", "caddyfile"].map(str::to_owned)
}

impl Reload for Caddy {
    fn name(&self) -> String {
        format!("Caddy {}", version(&self.program, "version"))
    }

    fn addr(&self) -> SocketAddr {
        self.daemon.addr
    }

    fn how(&self) -> &'static str {
        "`caddy reload --force`"
    }

    fn reload(&mut self) -> Result<(), String> {
        let dir = self.daemon.scratch.path();
        let mut command = Command::new(&self.program);
        // The configuration is the same; without the flag nothing would be done.
        command.arg("reload").args(arguments(dir)).arg("--force");
        command.env("HOME", dir).env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
        run(command)
    }

    fn server(&self) -> &Server {
        &self.daemon.server
    }
}
