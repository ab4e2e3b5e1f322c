//! Where the report goes. Nothing here may hold up the exit: a standard error that nobody reads, or a file
//! on a dead disk, is given up after a bounded time.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::{Cause, Report};

/// Called with the finished report.
pub(crate) type Callback = Arc<dyn Fn(&Report) + Send + Sync>;

/// Where the report goes.
#[derive(Clone, Default)]
pub(crate) struct Destination {
    /// Standard error: text on a terminal, one line of JSON otherwise.
    pub(crate) stderr: bool,
    /// JSON to this file as well.
    pub(crate) file: Option<PathBuf>,
    pub(crate) callback: Option<Callback>,
}

/// Writes the report from a helper thread and waits for it, but no longer than `limit`. Says whether it was
/// written in time.
pub(crate) fn write_bounded(report: &Report, destination: &Destination, limit: Duration) -> bool {
    let (done, written) = mpsc::channel();
    let (report, destination) = (report.clone(), destination.clone());
    let spawned = std::thread::Builder::new().name("lameduck-report".to_owned()).spawn(move || {
        write(&report, &destination);
        let _ = done.send(());
    });
    spawned.is_ok() && written.recv_timeout(limit).is_ok()
}

fn write(report: &Report, destination: &Destination) {
    // The file first: it cannot be blocked by a reader that is gone.
    let mut complaint = None;
    if let Some(path) = &destination.file {
        let line = report.to_json() + "\n";
        if let Err(error) = std::fs::write(path, line) {
            complaint =
                Some(format!("cannot write the report to {path:?} (LAMEDUCK_REPORT): {error}\n"));
        }
    }
    if destination.stderr {
        let _ = to_stderr(report, complaint.as_deref());
    }
    if let Some(callback) = &destination.callback {
        callback(report);
    }
}

fn to_stderr(report: &Report, complaint: Option<&str>) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    let on_terminal = stderr.is_terminal();
    let mut text = complaint.unwrap_or_default().to_owned();
    if let Cause::Start { message } = &report.cause {
        // One line that says what was wrong; the rest of a report would say nothing more.
        text += &format!("{}: error: {message}\n", report.service);
        if on_terminal {
            return stderr.write_all(text.as_bytes());
        }
    }
    text += &if on_terminal { report.to_string() } else { report.to_json() };
    text.push('\n');
    stderr.write_all(text.as_bytes())
}
