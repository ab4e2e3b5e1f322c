//! The example `target`, which restarts itself.

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{Generations, Reload, Server};

use crate::target::{User, on_loopback};

/// The longest that a restart may take.
const LONGEST: Duration = Duration::from_secs(10);

/// The target and its successors.
#[derive(Debug)]
pub(crate) struct Lameduck {
    generations: Generations,
}

impl Lameduck {
    /// Starts the first one, as an ordinary user and with an idle limit of 10 minutes.
    pub(crate) fn start() -> Self {
        let server =
            on_loopback(User::Ordinary).env("IDLE_MS", "600000").lifetime(LIFETIME).start();
        server.ready();
        Self { generations: Generations::of(server) }
    }
}

/// Longer than any comparison takes.
const LIFETIME: Duration = Duration::from_secs(3600);

impl Reload for Lameduck {
    fn name(&self) -> String {
        format!("lameduck {}", env!("CARGO_PKG_VERSION"))
    }

    fn addr(&self) -> SocketAddr {
        self.generations.server().addr()
    }

    fn how(&self) -> &'static str {
        "SIGUSR2"
    }

    fn reload(&mut self) -> Result<(), String> {
        self.generations.restart(LONGEST).map(drop)
    }

    fn server(&self) -> &Server {
        self.generations.server()
    }
}
