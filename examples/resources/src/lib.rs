//! One small service for each thing that services use: `cargo run -p resources --example 01_redis`, and so on. What they
//! show is in `docs/resources.md`. Here is only what all of them would repeat.

use std::io::stderr;

/// Where the service listens: port `PORT` of this machine, 8080 if nothing is said.
#[must_use]
pub fn address() -> String {
    format!("127.0.0.1:{}", variable("PORT", "8080"))
}

/// A variable of the environment, or what holds without it.
#[must_use]
pub fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Sends the log to standard error, where lameduck's report goes too.
pub fn log() {
    tracing_subscriber::fmt().with_writer(stderr).with_ansi(false).init();
}
