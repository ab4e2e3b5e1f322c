//! The servers that are compared.

use std::ffi::OsString;
use std::time::Duration;

use lameduck_testkit::{Server, ServerCommand, bin};

/// One of the servers. `benches/src/bin/bench-server/main.rs` says what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Lameduck,
    Bare,
    BareHttp2,
    Floor,
    Auto,
    Axum,
    AxumMade,
    Go,
}

/// A server that hangs is killed after this.
const LIFETIME: Duration = Duration::from_secs(300);

impl Kind {
    /// What tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Lameduck => "lameduck",
            Kind::Bare => "lameduck without its record",
            Kind::BareHttp2 => "lameduck without its record (HTTP/2)",
            Kind::Floor => "the kernel alone",
            Kind::Auto => "hyper-util auto",
            Kind::Axum => "axum::serve",
            Kind::AxumMade => "axum::serve, into_make_service",
            Kind::Go => "Go net/http",
        }
    }

    fn argument(self) -> Option<&'static str> {
        match self {
            Kind::Lameduck => Some("lameduck"),
            Kind::Bare => Some("bare"),
            Kind::BareHttp2 => Some("bare-http2"),
            Kind::Floor => Some("floor"),
            Kind::Auto => Some("auto"),
            Kind::Axum => Some("axum"),
            Kind::AxumMade => Some("axum-made"),
            Kind::Go => None,
        }
    }

    /// The program and its arguments.
    fn words(self) -> Vec<OsString> {
        match self.argument() {
            Some(argument) => vec![bin("bench-server").into(), argument.into()],
            None => vec![bin(super::tools::GO_SERVER).into()],
        }
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Server {
        self.start_under(&[], &[])
    }

    /// Starts it on one processor: every runtime here then has one worker.
    pub(crate) fn start_on(self, processor: usize) -> Server {
        self.start_under(&["taskset".into(), "-c".into(), processor.to_string().into()], &[])
    }

    /// Starts it by another program (`valgrind ..`), with further variables.
    pub(crate) fn start_under(self, by: &[OsString], variables: &[(&str, &str)]) -> Server {
        let words: Vec<OsString> = by.iter().cloned().chain(self.words()).collect();
        let command = Server::command(&words[0]).port().lifetime(LIFETIME);
        let command = words[1..].iter().fold(command, ServerCommand::arg);
        let command =
            variables.iter().fold(command, |command, (key, value)| command.env(key, value));
        let server = command.start();
        server.ready();
        server
    }
}
