//! What is going on, while it goes on: on standard error, in one line that is overwritten on a terminal.

use std::io::{IsTerminal, Write, stderr};

/// The line at the bottom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    terminal: bool,
}

impl Progress {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self { terminal: stderr().is_terminal() }
    }

    /// Says what has begun.
    pub(super) fn stage(self, text: &str) {
        if self.terminal {
            self.tick(text);
        } else {
            let _ = writeln!(stderr(), "  {text}");
        }
    }

    /// Replaces the line, on a terminal only.
    pub(super) fn tick(self, text: &str) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[2K  {text}");
            let _ = stderr().flush();
        }
    }

    /// Takes the line away.
    pub(super) fn clear(self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[2K");
            let _ = stderr().flush();
        }
    }
}
