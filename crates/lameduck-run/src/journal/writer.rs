//! Writes lines without ever waiting for who reads them.

use std::io::Write;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Level, Line};
use crate::settings::Log;

/// Writes lines to standard error. If nobody reads it and it is full, lines are dropped and counted: a log must not keep
/// a child from being ended.
#[derive(Debug)]
pub(crate) struct Journal {
    log: Log,
    dropped: u64,
}

impl Journal {
    pub(crate) fn new(log: Log) -> Self {
        Self { log, dropped: 0 }
    }

    pub(crate) fn say(&mut self, line: &Line) {
        if !has_room() {
            self.dropped += 1;
            return;
        }
        if self.dropped > 0 {
            let text = format!("{} lines could not be written: nobody read them", self.dropped);
            let line = Line::new(Level::Warn, "dropped", text).with("lines", self.dropped);
            self.dropped = 0;
            self.write(&line);
        }
        self.write(line);
    }

    fn write(&self, line: &Line) {
        let text = match self.log {
            Log::Text => line.text(),
            Log::Json => line.json(&Timestamp::now().to_string()),
        };
        // A standard error that is closed is no reason to stop serving.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Whether a line fits: a pipe is writable when it has room for a page.
fn has_room() -> bool {
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    !matches!(poll(&mut fds, Some(&at_once)), Ok(0))
}
