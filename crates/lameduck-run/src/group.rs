//! Signals to a child, and to all of its process group.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::machine::StopSignal;

/// Sends a signal to the child alone. It is not reaped yet, so its id can belong to nobody else.
pub(crate) fn signal(child: Pid, signal: StopSignal) {
    let signal = match signal {
        StopSignal::Terminate => Signal::TERM,
        StopSignal::Interrupt => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
    };
    // One that has ended and is not reaped takes it without effect.
    let _ = kill_process(child, signal);
}

/// Passes SIGUSR1 on.
pub(crate) fn pass_on(child: Pid) {
    let _ = kill_process(child, Signal::USR1);
}

/// Kills it and its process group, which it may have left.
pub(crate) fn kill(child: Pid) {
    let _ = kill_process_group(child, Signal::KILL);
    let _ = kill_process(child, Signal::KILL);
}
