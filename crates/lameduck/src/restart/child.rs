//! The process that a predecessor has started: signals to it, and its end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// A child. Its id is its own until its end was seen here, since nobody else waits for it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Readable once it has ended. None before Linux 5.3.
    end: Option<OwnedFd>,
    ended: bool,
}

impl Process {
    pub(super) fn new(child: Child) -> Process {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let end = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Process { child, end, ended: false }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What becomes readable at its end.
    pub(super) fn end(&self) -> Option<BorrowedFd<'_>> {
        if self.ended { None } else { self.end.as_ref().map(AsFd::as_fd) }
    }

    /// Whether its end has to be asked for, again and again.
    pub(super) fn must_be_asked(&self) -> bool {
        self.end.is_none() && !self.ended
    }

    /// Whether it has not been seen to end.
    pub(super) fn end_is_awaited(&self) -> bool {
        !self.ended
    }

    /// How it has ended, said once.
    pub(super) fn ended(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let status = self.child.try_wait().ok().flatten()?;
        self.ended = true;
        Some(describe(status))
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.ended {
            // Its id may be somebody else's.
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It fails only if it has ended.
            let _ = kill_process(pid, signal);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
