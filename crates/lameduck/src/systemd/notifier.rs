//! What the supervisor thread speaks to the service manager with.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

use super::channel::Channel;
use super::message::Message;
use super::pulse::Pulse;
use super::schedule::{Schedule, Seen};
use super::variables;
use crate::phase::Phase;

/// How long to wait before a datagram that found no room is sent again.
const AGAIN: Duration = Duration::from_millis(10);
/// How many may wait for room. A manager that reads none of them is not waiting for more.
const WAITING: usize = 32;

/// The voice of a service towards its service manager. Without one it says nothing.
#[derive(Debug)]
pub(crate) struct Notifier {
    channel: Option<Channel>,
    schedule: Schedule,
    watchdog: Option<Duration>,
    pulse: Pulse,
    waiting: VecDeque<String>,
    warnings: Vec<String>,
    /// The log has been told that a datagram could not be sent.
    complained: bool,
}

impl Notifier {
    /// Speaks to nobody: for a service that does not own its process.
    pub(crate) fn silent() -> Notifier {
        Notifier::to(None, None, Vec::new())
    }

    /// Speaks to the manager that the environment names, if it does.
    pub(crate) fn from_environment() -> Notifier {
        let said = variables::read(std::process::id(), |name| std::env::var_os(name));
        let mut warnings = said.warnings;
        let channel = said.socket.and_then(|at| match Channel::open(&at) {
            Ok(channel) => Some(channel),
            Err(error) => {
                warnings.push(format!(
                    "NOTIFY_SOCKET is {at:?}, which cannot be used ({error}): the service manager is told nothing"
                ));
                None
            }
        });
        Notifier::to(channel, said.watchdog, warnings)
    }

    fn to(channel: Option<Channel>, watchdog: Option<Duration>, warnings: Vec<String>) -> Notifier {
        let watchdog = watchdog.filter(|_| channel.is_some());
        Notifier {
            channel,
            schedule: Schedule::new(watchdog, Instant::now()),
            watchdog,
            pulse: Pulse::default(),
            waiting: VecDeque::new(),
            warnings,
            complained: false,
        }
    }

    /// From now on a sign of life means that this runtime answers.
    pub(crate) fn watch(&mut self, runtime: &Handle) {
        if let Some(limit) = self.watchdog {
            self.pulse = Pulse::begin(runtime, limit / 8);
        }
    }

    /// Says what is due. The answer is when to come again.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        phase: Phase,
        over_by: Option<Instant>,
    ) -> Option<Instant> {
        self.channel.as_ref()?;
        let seen = Seen { phase, over_by, pulse: self.pulse.count() };
        let due = self.schedule.due(now, &seen);
        self.say(&due);
        let again = (!self.waiting.is_empty()).then(|| now + AGAIN);
        [self.schedule.next(&seen), again].into_iter().flatten().min()
    }

    /// What the log is to be warned of, each once.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// A reload or a restart begins.
    pub(crate) fn reloading(&mut self) {
        let now = clock_gettime(ClockId::Monotonic);
        let due = self.schedule.reloading(Duration::try_from(now).unwrap_or_default());
        self.say(&due);
    }

    /// A reload is over, or a restart came to nothing.
    pub(crate) fn reloaded(&mut self) {
        let due = self.schedule.reloaded();
        self.say(&due);
    }

    /// The commit of a restart, in the predecessor: this process is the service from now on, and ready. Nothing more is
    /// said from here, unless [`Notifier::take_over`] takes it back.
    #[cfg(any(test, feature = "restart"))]
    pub(crate) fn main_pid(&mut self, successor: u32) {
        let due = self.schedule.handed_over(successor);
        self.say(&due);
    }

    /// The start of a successor: its predecessor speaks, until [`Notifier::take_over`].
    #[cfg(any(test, feature = "restart"))]
    pub(crate) fn hold_back(&mut self) {
        self.schedule.hold_back();
    }

    /// This process is the service from now on: the successor at the commit, or the predecessor whose successor died.
    #[cfg(any(test, feature = "restart"))]
    pub(crate) fn take_over(&mut self) {
        let due = self.schedule.take_over(std::process::id());
        self.say(&due);
    }

    fn say(&mut self, due: &[Message]) {
        let Some(channel) = &self.channel else { return };
        if !due.is_empty() && self.waiting.len() < WAITING {
            let lines: Vec<String> = due.iter().map(ToString::to_string).collect();
            self.waiting.push_back(lines.join("\n"));
        }
        while let Some(text) = self.waiting.front() {
            match channel.send(text) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        self.warnings.push(format!(
                            "the service manager cannot be told how the service is ({error}); check NOTIFY_SOCKET"
                        ));
                    }
                }
            }
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
