//! Reaping: all children, also those that others left behind.

use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use crate::machine::End;

/// Reaps everything that has ended: our children, and orphans that the kernel gave to us, since we are process 1 or
/// the reaper of what is below us.
pub(crate) fn reap() -> Vec<(Pid, End)> {
    let mut ended = Vec::new();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended.extend(end(status).map(|end| (pid, end))),
            Err(rustix::io::Errno::INTR) => {}
            // Nobody else has ended; or nobody is there.
            Ok(None) | Err(_) => return ended,
        }
    }
}

/// `None`: it was only stopped or went on.
fn end(status: WaitStatus) -> Option<End> {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    let code = status.exit_status().map(|code| End::Code(byte(code)));
    code.or_else(|| status.terminating_signal().map(|signal| End::Signal(byte(signal))))
}
