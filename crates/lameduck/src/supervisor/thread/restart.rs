//! What the supervisor does about restarts: begins them, waits for their end where it has to, and starts the sources of
//! a successor when they are its turn. The hand-over itself has a thread of its own; nothing here waits for it.

use std::time::{Duration, Instant};

use super::Desk;
use crate::budget::Span;
use crate::lifecycle::HandOver;
use crate::phase::{Event, Phase, SAME_SIGNAL, StopSignal};
use crate::report::{Cause, Totals};
use crate::restart::Predecessor;

/// How long what begins a stop may wait for the end of a restart: longer than ending a successor takes
/// (`restart::giving`). Only a restart whose thread hangs takes longer, in a folder on a dead file system for instance.
const HELD: Duration = Duration::from_secs(8);

/// How the supervisor stands with regard to restarts.
#[derive(Default)]
pub(super) struct State {
    /// The restart that is under way.
    under_way: Option<Predecessor>,
    /// What had been counted when it began.
    at_begin: Option<Totals>,
    /// What is to be stepped once it is over, with the time at which it happened.
    held: Vec<(Event, Instant)>,
    /// The successor of the one that is under way serves.
    committed: bool,
    /// As a successor: the predecessor is done.
    free: bool,
    /// The parts are to tick now.
    pub(super) tick: bool,
}

impl Desk {
    /// Whether this process has a predecessor, and waits for its commit.
    pub(super) fn is_successor(&self) -> bool {
        self.brief.restarts.as_ref().is_some_and(|restarts| restarts.predecessor.is_some())
    }

    /// As a successor: everything is ready, and the predecessor still serves.
    pub(super) fn wait_for_commit(&self, now: Instant) {
        if let Some(engine) = &self.engine {
            engine.prepare();
        }
        let predecessor = self.brief.restarts.as_ref().and_then(|all| all.predecessor.as_ref());
        if let Some(predecessor) = predecessor {
            self.journal.info(format!(
                "ready after {} to take over from process {}",
                Span(now - self.started),
                predecessor.predecessor()
            ));
            predecessor.up();
        }
    }

    /// Begins a restart, unless there is a reason not to.
    pub(super) fn begin_restart(&mut self) {
        let Some(restarts) = &self.brief.restarts else {
            return self.refuse_restart("only a service that `run` started can be");
        };
        if std::process::id() == 1 {
            return self.refuse_restart(
                "process 1 of a container cannot be replaced: its end ends the container; start the service by \
                 `lameduck run -- COMMAND`, which stays",
            );
        }
        if self.restart.under_way.is_some() {
            return self.refuse_restart("another restart is under way");
        }
        if let Some(predecessor) = &restarts.predecessor
            && !self.restart.free
        {
            let pid = predecessor.predecessor();
            return self.refuse_restart(&format!(
                "its predecessor (process {pid}) has not handed over everything yet"
            ));
        }
        match Predecessor::begin(restarts.plan.clone()) {
            Ok(under_way) => {
                self.restart.at_begin = self.engine.as_ref().map(super::Engine::totals);
                self.restart.under_way = Some(under_way);
                self.tell_manager(super::Notifier::reloading);
            }
            Err(error) => {
                self.brief.shared.note_restart_failed();
                self.journal.error(format!(
                    "restart failed, this process serves on: {error}; raise the limits of this process"
                ));
            }
        }
    }

    pub(super) fn refuse_restart(&self, why: &str) {
        self.journal.warn(format!("no restart: {why}"));
    }

    /// Something may have changed for a restart that is under way.
    pub(super) fn look_restart(&self) {
        if let Some(under_way) = &self.restart.under_way {
            under_way.look();
        }
    }

    /// Whether an event has to wait until the restart that is under way has ended: whatever begins the stop. It then
    /// counts from when it happened.
    pub(super) fn waits_for_restart(&mut self, event: Event, now: Instant) -> bool {
        let Some(under_way) = &self.restart.under_way else { return false };
        if self.machine.phase() != Phase::Ready {
            return false;
        }
        let stops = match event {
            Event::Signal(_) | Event::Stop | Event::Failed => true,
            Event::Hangup => self.brief.rules.hangup == crate::phase::Hangup::Stop,
            Event::Started
            | Event::StartFailed
            | Event::Restart
            | Event::HandedOver
            | Event::Empty
            | Event::Time => false,
        };
        if !stops {
            return false;
        }
        let first = self.restart.held.first().map(|(_, at)| *at);
        self.restart.held.push((event, now));
        match first {
            None => {
                self.journal.info("to be stopped during a restart, which ends first");
                under_way.stop();
            }
            // A second signal does not wait.
            Some(first) if now.saturating_duration_since(first) >= SAME_SIGNAL => {
                let forces = match event {
                    Event::Signal(StopSignal::Interrupt | StopSignal::Quit) => true,
                    Event::Signal(StopSignal::Terminate | StopSignal::Hangup) => {
                        self.brief.rules.repeated_term_forces
                    }
                    Event::Started
                    | Event::StartFailed
                    | Event::Hangup
                    | Event::Stop
                    | Event::Failed
                    | Event::Restart
                    | Event::HandedOver
                    | Event::Empty
                    | Event::Time => false,
                };
                if forces {
                    self.let_go_of_held();
                }
            }
            Some(_) => {}
        }
        true
    }

    /// Until when what begins a stop waits for the end of a restart.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.restart.held.first().map(|(_, at)| *at + HELD)
    }

    /// Begins the stop that has waited for too long.
    pub(super) fn hold_no_longer(&mut self, now: Instant) {
        if self.held_until().is_some_and(|until| until <= now) {
            self.journal.warn(format!(
                "the restart has not ended within {}: stopping all the same",
                Span(HELD)
            ));
            self.let_go_of_held();
        }
    }

    fn let_go_of_held(&mut self) {
        for (event, at) in std::mem::take(&mut self.restart.held) {
            self.step(event, at);
        }
    }

    /// A hand-over has come so far.
    pub(super) fn hand_over(&mut self, how: HandOver, now: Instant) {
        match how {
            HandOver::Told => self.restart.tick = true,
            HandOver::Committed { successor } => {
                self.restart.committed = true;
                self.tell_manager(|notifier| notifier.main_pid(successor));
            }
            HandOver::Given { successor, since } => {
                self.restart.under_way = None;
                if self.machine.deadlines().is_none() {
                    self.cause = Some(Cause::Restart { successor });
                }
                self.step(Event::HandedOver, since);
                self.let_go_of_held();
            }
            HandOver::Failed => {
                self.restart.under_way = None;
                self.restart.at_begin = None;
                match std::mem::take(&mut self.restart.committed) {
                    true => self.tell_manager(super::Notifier::take_over),
                    false => self.tell_manager(super::Notifier::reloaded),
                }
                if self.restart.held.is_empty() {
                    self.brief.shared.note_restart_failed();
                }
                self.let_go_of_held();
            }
            HandOver::Commit => {
                if self.machine.phase() == Phase::Ready {
                    self.tell_manager(super::Notifier::take_over);
                    self.brief.shared.set_front(true);
                    if let Some(engine) = &self.engine {
                        engine.start_sources(true);
                    }
                    self.journal.info("serving, in the place of the predecessor");
                    self.with_predecessor(|predecessor| predecessor.serving());
                }
            }
            HandOver::Background => {
                if self.machine.phase() == Phase::Ready
                    && let Some(engine) = &self.engine
                {
                    engine.start_sources(false);
                }
            }
            HandOver::Free => self.restart.free = true,
            HandOver::Alone => {
                self.brief.shared.set_alone();
                // While a restart is under way somebody else does hold them; its end says so again.
                if self.restart.under_way.is_none()
                    && let Some(restarts) = &self.brief.restarts
                {
                    restarts.plan.set_alone(true);
                }
            }
            HandOver::CalledOff => {
                // The predecessor serves on, and speaks.
                self.tell_manager(super::Notifier::hold_back);
                let mut reason = "the predecessor called the restart off".to_owned();
                self.with_predecessor(|predecessor| {
                    reason = format!(
                        "the predecessor (process {}) called the restart off",
                        predecessor.predecessor()
                    );
                });
                self.because(Cause::Code { reason });
                self.step(Event::HandedOver, now);
            }
        }
    }

    /// The stop begins: says so to a predecessor, and lets go of the sockets that a successor would have got.
    pub(super) fn begin_stop(&mut self) {
        if let Some(at_begin) = self.restart.at_begin.take() {
            // What was passed on counts, though the stop only begins now.
            self.at_begin = at_begin;
        }
        let failed = self.machine.outcome() == crate::Outcome::Failed;
        if failed && self.is_successor() && !self.restart.free {
            // The predecessor takes the service back. To the manager STOPPING=1 would be the end of it.
            self.tell_manager(super::Notifier::hold_back);
        }
        self.with_predecessor(|predecessor| predecessor.stopping(failed));
        // In any phase from here on a listener may be closed, and a second descriptor would keep it open.
        if let Some(restarts) = &self.brief.restarts {
            restarts.listening.let_go();
        }
    }

    /// Tells the service manager something.
    fn tell_manager(&mut self, tell: impl FnOnce(&mut super::Notifier)) {
        #[cfg(feature = "systemd")]
        tell(&mut self.brief.notifier);
        #[cfg(not(feature = "systemd"))]
        tell(&mut super::Notifier);
    }

    fn with_predecessor(&self, f: impl FnOnce(&crate::restart::Successor)) {
        if let Some(predecessor) =
            self.brief.restarts.as_ref().and_then(|restarts| restarts.predecessor.as_ref())
        {
            f(predecessor);
        }
    }
}
