//! The log: standard error, in colour on a terminal.

use std::io::{IsTerminal, stderr};

use tracing::level_filters::LevelFilter;

/// Whether text for that stream may be coloured: it is a terminal, and `NO_COLOR` is unset or empty.
pub fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Sends the program's events to standard error.
pub fn start() {
    tracing_subscriber::fmt()
        .with_writer(stderr)
        .with_ansi(coloured(&stderr()))
        .with_max_level(LevelFilter::INFO)
        .with_target(false)
        .init();
}
