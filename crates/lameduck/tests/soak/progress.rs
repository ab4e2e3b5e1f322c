//! How it goes, while it goes on: on standard error, one line a second, which is overwritten on a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stderr};
use std::time::Duration;

use crate::part::Standing;

#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: stderr().is_terminal() }
    }

    /// How the parts stand, the processes first.
    pub(crate) fn show(&mut self, time: Duration, all: &[Standing; 5]) {
        let [processes, others @ ..] = all;
        let answered: u64 = all.iter().map(|standing| standing.answered).sum();
        let failed: u64 = all.iter().map(|standing| standing.failed).sum();
        let mut line = format!(
            "{:4} s: {} processes stopped, {} stops within one; {answered} answered, {failed} failed",
            time.as_secs(),
            processes.stops,
            others.iter().map(|standing| standing.stops).sum::<usize>(),
        );
        for standing in others {
            if let Some(holds) = standing.holds {
                let (descriptors, threads) = (holds.descriptors, holds.threads);
                let mib = holds.resident >> 20;
                let _ = write!(line, "; {descriptors} fds {threads} threads {mib} MiB");
            }
        }
        // A standard error that is gone is no reason to stop.
        let _ = if self.terminal {
            write!(stderr(), "\r\x1b[2K{line}")
        } else {
            writeln!(stderr(), "{line}")
        };
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
