//! The signals that a service takes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

#[cfg(feature = "restart")]
use signal_hook::consts::SIGUSR2;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::phase::{Event, StopSignal};

/// The signals that a service takes, from the moment this exists.
///
/// SIGTERM, SIGINT and SIGQUIT are always taken, also where they were inherited as ignored: shells start
/// background jobs with the last two ignored, and a service that cannot be stopped is worse than one that
/// stops too easily. The same goes for those inherited as blocked, and for SIGUSR2 with the feature `restart`. A SIGHUP inherited as ignored (`nohup`)
/// stays ignored.
pub(crate) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// No descriptor is left for the pipe.
    pub(crate) fn install() -> io::Result<Signals> {
        let (read, write) = UnixStream::pair()?;
        // These first: until they are installed each of them kills, and looking into /proc takes its time.
        let signals = [
            SIGTERM,
            SIGINT,
            SIGQUIT,
            #[cfg(feature = "restart")]
            SIGUSR2,
        ];
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, signals)?;
        // Whoever started us may have blocked them for itself; a mask survives exec (signal(7)).
        crate::sys::unblock(&signals);
        if !inherited_as_ignored(SIGHUP) {
            delivery.handle().add_signal(SIGHUP)?;
        }
        Ok(Signals { delivery })
    }

    /// The signals that have arrived since the last call. Equal ones may have been merged by the kernel.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.delivery
            .pending()
            .filter_map(|signal| match signal {
                SIGTERM => Some(Event::Signal(StopSignal::Terminate)),
                SIGINT => Some(Event::Signal(StopSignal::Interrupt)),
                SIGQUIT => Some(Event::Signal(StopSignal::Quit)),
                SIGHUP => Some(Event::Hangup),
                #[cfg(feature = "restart")]
                SIGUSR2 => Some(Event::Restart),
                _ => None,
            })
            .collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }
}

/// Whether this process was started with the signal ignored: the `SigIgn` mask of `/proc/self/status`
/// (proc_pid_status(5)), bit n - 1 for signal n. Elsewhere than on Linux nobody knows, and it is taken.
fn inherited_as_ignored(signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    ignored_in(&status, signal)
}

fn ignored_in(status: &str, signal: i32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignored_in;

    #[test]
    fn the_mask_of_ignored_signals_is_read_bit_by_bit() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert!(ignored_in(status, 1));
        assert!(ignored_in(status, 13));
        assert!(!ignored_in(status, 15));
        assert!(!ignored_in("no such line", 1));
    }
}
