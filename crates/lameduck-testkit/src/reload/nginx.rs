//! nginx: <https://nginx.org/en/docs/control.html>, "Changing Configuration". The master starts new workers and tells
//! the old ones to end: they accept no more, close their idle connections at once, and the busy ones after the response.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::{Reload, as_ordinary_user, ask, scratch, version};
use crate::daemon::Daemon;
use crate::missing::Missing;
use crate::server::Server;
use crate::tool::Tool;

/// A running nginx. It ends on drop.
#[derive(Debug)]
pub struct Nginx {
    program: PathBuf,
    daemon: Daemon,
}

impl Nginx {
    /// Starts one on a free port of 127.0.0.1, with a worker for each processor.
    ///
    /// # Errors
    /// nginx isn't installed.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn start() -> Result<Self, Missing> {
        let program = Tool::Nginx.find()?;
        let scratch = scratch();
        let dir = scratch.path().to_owned();
        let command = |addr| {
            fs::write(dir.join("nginx.conf"), configuration(addr)).expect("a directory of our own");
            as_ordinary_user(Server::command(&program).args(arguments(&dir)))
        };
        let daemon = Daemon::start(scratch, command, "answer", ask);
        Ok(Self { program, daemon })
    }
}

/// `worker_processes auto` and `daemon off` as its documentation has them for a supervised service; paths are
/// relative to the prefix, which is given on the command line.
fn configuration(addr: SocketAddr) -> String {
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    server {{
        listen {addr};
        default_type text/plain;
        location / {{ return 200 OK; }}
    }}
}}
"
    )
}

fn arguments(dir: &std::path::Path) -> [String; 6] {
    // The last two: before it has read the file it would write its errors where only root can.
    ["-p", &dir.display().to_string(), "-c", "nginx.conf", "-e", "stderr"].map(str::to_owned)
}

impl Reload for Nginx {
    fn name(&self) -> String {
        format!("nginx {}", version(&self.program, "-v"))
    }

    fn addr(&self) -> SocketAddr {
        self.daemon.addr
    }

    fn how(&self) -> &'static str {
        "`nginx -s reload`"
    }

    fn reload(&mut self) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(arguments(self.daemon.scratch.path())).args(["-s", "reload"]);
        run(command)
    }

    fn server(&self) -> &Server {
        &self.daemon.server
    }
}

/// Runs a command to its end.
pub(super) fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}: {}", output.status, said.trim()))
}
