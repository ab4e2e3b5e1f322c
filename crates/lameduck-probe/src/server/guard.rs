//! Kills the server when the probe is gone and could not: after a SIGKILL.
//!
//! It is a shell that waits for the end of a pipe of which only the probe holds the other side, in a group of its own.
//! Where there is no `sh` there is no guard, and nothing else changes.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// Guards one process group. Dropping it ends the guard and leaves the group alone: so it is dropped before the group's
/// leader is reaped, and its signal can't hit a stranger.
#[derive(Debug)]
pub(super) struct Guard(Option<Child>);

impl Guard {
    pub(super) fn of(group: Pid) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read gone; kill -s KILL -- \"-$1\"", "lameduck-guard"]);
        shell.arg(group.as_raw_nonzero().to_string()).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().ok())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut shell) = self.0.take() {
            // Before the wait, which closes the pipe.
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}
