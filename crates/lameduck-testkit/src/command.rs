//! What to start, how, and as whom.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::port::free_port;
use crate::server::Server;

/// Builds a [`Server`]. Variables that steer lameduck, or that a supervisor of the test run left behind, are not
/// passed on, only those given here.
#[derive(Debug, Clone)]
pub struct ServerCommand {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) user: Option<u32>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) netns: Option<String>,
    pub(crate) addr: Option<SocketAddr>,
    pub(crate) descriptors: Option<u64>,
    pub(crate) stderr_blocked: bool,
    pub(crate) lifetime: Duration,
}

impl ServerCommand {
    pub(crate) fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            user: None,
            cwd: None,
            netns: None,
            addr: None,
            descriptors: None,
            stderr_blocked: false,
            lifetime: Duration::from_secs(120),
        }
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: AsRef<OsStr>>(self, args: impl IntoIterator<Item = T>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// The uid and gid to run as, without further groups ([`NOBODY`](crate::NOBODY)). Needs root, and a program that
    /// they can read ([`readable_by_anyone`](crate::readable_by_anyone)).
    #[must_use]
    pub fn user(mut self, uid_gid: u32) -> Self {
        self.user = Some(uid_gid);
        self
    }

    /// The directory it starts in.
    #[must_use]
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Self {
        self.cwd = Some(dir.as_ref().to_owned());
        self
    }

    /// The network namespace it runs in, as [`Side::netns`](crate::Side) names it. Needs root.
    #[must_use]
    pub fn netns(mut self, name: impl Into<String>) -> Self {
        self.netns = Some(name.into());
        self
    }

    /// Gives it a free port of 127.0.0.1 as the variable `PORT`; [`Server::addr`] is then that address.
    #[must_use]
    pub fn port(self) -> Self {
        let port = free_port();
        self.env("PORT", port.to_string()).addr((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where it will listen, if that was said to it in some other way.
    #[must_use]
    pub fn addr(mut self, addr: SocketAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    /// How many descriptors it may have open (RLIMIT_NOFILE, both limits).
    #[must_use]
    pub fn descriptors(mut self, limit: u64) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// Makes its standard error a pipe that is full and that nobody reads: whoever writes to it waits for ever.
    /// Nothing of it is collected.
    #[must_use]
    pub fn stderr_blocked(mut self) -> Self {
        self.stderr_blocked = true;
        self
    }

    /// When it is killed in any case, so that no test hangs: after 120 s if nothing else is said.
    #[must_use]
    pub fn lifetime(mut self, limit: Duration) -> Self {
        self.lifetime = limit;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Server {
        match Server::spawn(&self) {
            Ok(server) => server,
            Err(error) => panic!("{} could not be started: {error}", self.program.display()),
        }
    }
}
