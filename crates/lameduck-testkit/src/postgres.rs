//! A real PostgreSQL.

mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::NOBODY;
use crate::command::ServerCommand;
use crate::daemon::Daemon;
use crate::missing::Missing;
use crate::pause::eventually;
use crate::places::is_root;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tool::Tool;

use rustix::process::Signal;
use wire::query;

/// A cluster of its own on a free port of 127.0.0.1, without a password. Dropping it ends it and removes its
/// directory.
///
/// It keeps its promises towards its clients, but would not survive the machine: it never waits for the disk.
#[derive(Debug)]
pub struct Postgres(Daemon);

impl Postgres {
    /// Makes a cluster and starts it, and waits until it answers a query. Run by root it runs as
    /// [`NOBODY`], since PostgreSQL refuses to be root.
    ///
    /// # Errors
    /// It isn't installed.
    ///
    /// # Panics
    /// If it doesn't start: with all that it printed.
    #[track_caller]
    pub fn start() -> Result<Self, Missing> {
        let postgres = Tool::Postgres.find()?;
        let user = is_root().then_some(NOBODY);
        let scratch = user.map_or_else(Scratch::new, Scratch::owned_by);
        let data = scratch.path().join("data");

        let made = command(&postgres.with_file_name("initdb"), user, &data)
            .args(["--username=postgres", "--auth=trust", "--locale=C", "--encoding=UTF8"])
            .args(["--no-sync", "--no-instructions"])
            .start()
            .wait_exit(Duration::from_secs(60));
        assert_eq!(made.code, Some(0), "initdb failed\n{}{}", made.stdout, made.stderr);

        let serve = |addr: SocketAddr| {
            let mut command =
                command(&postgres, user, &data).arg("-p").arg(addr.port().to_string());
            // No socket file: by default it would lie in a folder that every cluster of the machine shares. Nothing in
            // /dev/shm: it would stay there if all were killed.
            for setting in [
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "fsync=off",
                "full_page_writes=off",
                "shared_buffers=16MB",
                "dynamic_shared_memory_type=mmap",
            ] {
                command = command.args(["-c", setting]);
            }
            command
        };
        let select = |addr| query(addr, "SELECT 1").map(drop);
        Ok(Self(Daemon::start(scratch, serve, "answer a query", select)))
    }

    /// How a client is told where it is: for the superuser `postgres`, and its database of the same name.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.0.addr)
    }

    /// Its first process, to be looked at, or to be signalled. Each connection has one more, which is in a process
    /// group of its own and ends with the first.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.0.server
    }

    /// Its directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.scratch.path()
    }

    /// Sends SQL on a connection of its own; the rows of all its statements, as text, `None` for null.
    ///
    /// # Panics
    /// If it answers with an error, or not within 10 s.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        query(self.0.addr, sql).unwrap_or_else(|error| panic!("PostgreSQL: {sql}: {error}"))
    }
}

fn command(program: &Path, user: Option<u32>, data: &Path) -> ServerCommand {
    let command = Server::command(program).arg("-D").arg(data).cwd("/").env("LC_ALL", "C");
    match user {
        Some(user) => command.user(user),
        None => command,
    }
}

impl Drop for Postgres {
    /// Has it end its other processes and free its shared memory, which a kill would leave behind.
    fn drop(&mut self) {
        let server = &self.0.server;
        server.signal(Signal::QUIT);
        // For one that a test has stopped.
        server.signal(Signal::CONT);
        let _ = eventually(Duration::from_secs(5), || !server.runs());
    }
}
