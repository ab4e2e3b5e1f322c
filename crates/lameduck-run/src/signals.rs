//! The signals that `lameduck run` takes.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::machine::{Event, StopSignal};

/// What a signal means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The machine decides about it.
    Event(Event),
    /// SIGUSR1, which is the server's business.
    PassOn,
}

/// The signals that are taken from the moment this exists. Children get the defaults, as exec(3) restores them; only a
/// SIGHUP that was inherited as ignored (`nohup`) stays so, for us and for them.
pub(crate) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    /// Standard input was a terminal.
    terminal: bool,
}

impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let signals = [SIGTERM, SIGINT, SIGQUIT, SIGUSR2, SIGUSR1, SIGCHLD];
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, signals)?;
        if !is_ignored(SIGHUP) {
            delivery.handle().add_signal(SIGHUP)?;
        }
        Ok(Self { delivery, terminal: io::stdin().is_terminal() })
    }

    /// Those that came since the last call. Equal ones may have been merged by the kernel. SIGCHLD only wakes us.
    pub(crate) fn take(&mut self) -> Vec<Taken> {
        let terminal = self.terminal;
        self.delivery.pending().filter_map(|signal| meaning(signal, terminal)).collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }
}

fn meaning(signal: i32, terminal: bool) -> Option<Taken> {
    let stop = |signal| Some(Taken::Event(Event::Stop(signal)));
    match signal {
        SIGTERM => stop(StopSignal::Terminate),
        SIGINT => stop(StopSignal::Interrupt),
        SIGQUIT => stop(StopSignal::Quit),
        // The kernel sends it too when the terminal goes away, and then nothing is to be replaced.
        SIGHUP if terminal && !io::stdin().is_terminal() => stop(StopSignal::Terminate),
        SIGHUP | SIGUSR2 => Some(Taken::Event(Event::Replace)),
        SIGUSR1 => Some(Taken::PassOn),
        _ => None,
    }
}

/// Whether this process was started with the signal ignored: `SigIgn` of `/proc/self/status`.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
