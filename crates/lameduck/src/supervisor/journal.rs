//! The supervisor's log: `tracing` events, emitted from a helper thread, so that a subscriber that blocks
//! (standard error is a pipe that nobody reads) holds up neither a deadline nor the exit.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use tracing::Level;

/// How many lines may wait. Beyond that they are dropped: memory stays bounded too.
const WAITING: usize = 1024;

enum Line {
    Text(Level, String),
    Flush(Sender<()>),
}

/// The supervisor's log. Saying something never waits.
#[derive(Clone)]
pub(crate) struct Journal {
    lines: SyncSender<Line>,
}

impl Journal {
    /// Starts the helper thread. Without one (no thread is left) lines are dropped.
    pub(crate) fn start(service: &str) -> Journal {
        let (lines, receiver) = sync_channel(WAITING);
        let name = service.to_owned();
        drop(
            std::thread::Builder::new()
                .name("lameduck-log".to_owned())
                .spawn(move || emit(&receiver, &name)),
        );
        Journal { lines }
    }

    pub(crate) fn info(&self, text: impl Into<String>) {
        self.text(Level::INFO, text.into());
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.text(Level::WARN, text.into());
    }

    pub(crate) fn error(&self, text: impl Into<String>) {
        self.text(Level::ERROR, text.into());
    }

    pub(crate) fn text(&self, level: Level, text: String) {
        self.say(Line::Text(level, text));
    }

    /// Waits until what was said so far is out, but no longer than this.
    pub(crate) fn flush(&self, limit: Duration) {
        let (done, flushed) = channel();
        self.say(Line::Flush(done));
        let _ = flushed.recv_timeout(limit);
    }

    fn say(&self, line: Line) {
        match self.lines.try_send(line) {
            // Full: whoever reads the log is stuck, and the report says all that matters.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

fn emit(lines: &Receiver<Line>, service: &str) {
    while let Ok(line) = lines.recv() {
        match line {
            // The level of an event is part of its call site.
            Line::Text(Level::ERROR, text) => {
                tracing::error!(target: "lameduck", service, "{text}");
            }
            Line::Text(Level::WARN, text) => tracing::warn!(target: "lameduck", service, "{text}"),
            Line::Text(Level::INFO, text) => tracing::info!(target: "lameduck", service, "{text}"),
            Line::Text(_, text) => tracing::debug!(target: "lameduck", service, "{text}"),
            Line::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}
