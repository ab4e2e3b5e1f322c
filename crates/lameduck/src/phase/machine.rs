//! The pure state machine: `(phase, event, now) → (phase, actions)`.

use std::time::{Duration, Instant};

use super::{Action, Event, Hangup, Outcome, Phase, StopSignal};
use crate::budget::{Budget, Deadlines, LONGEST};

/// Signals this close to the first are the same event: a terminal and a supervisor often both deliver one.
pub(crate) const SAME_SIGNAL: Duration = Duration::from_millis(250);
/// How long before the end of the lame duck HTTP/1.1 responses begin to say `Connection: close`.
pub(crate) const GOODBYE: Duration = Duration::from_secs(1);
/// How long after the drain deadline the supervisor answers for tasks that did not.
pub(crate) const LATE: Duration = Duration::from_millis(100);
/// How long after the drain deadline answers may still be written.
pub(crate) const SEVER: Duration = Duration::from_millis(250);

/// What a service chose, fixed before it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) budget: Budget,
    /// How long the start may take.
    pub(crate) start: Duration,
    pub(crate) hangup: Hangup,
    /// Whether a repeated SIGTERM forces the exit, as a repeated SIGINT does.
    pub(crate) repeated_term_forces: bool,
}

/// How far the phase's own deadline has been dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    NotYet,
    Ordered,
    AnsweredLate,
}

/// The life of one service.
///
/// 1. The phase never moves back.
/// 2. Every phase but `Ready` has a deadline ([`Machine::wake_at`] is `None` in `Ready` and `Stopped` only),
///    and the deadline's passing alone moves it on.
/// 3. Deadlines are fixed when the stop begins.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    phase: Phase,
    start_by: Instant,
    deadlines: Option<Deadlines>,
    first_signal: Option<Instant>,
    goodbye: bool,
    cut: Cut,
    forced: bool,
    failed: bool,
    signalled: Option<StopSignal>,
}

impl Machine {
    pub(crate) fn new(rules: Rules, now: Instant) -> Machine {
        Machine {
            rules,
            phase: Phase::Starting,
            // `Duration::MAX` stands for no limit.
            start_by: now + rules.start.min(LONGEST),
            deadlines: None,
            first_signal: None,
            goodbye: false,
            cut: Cut::NotYet,
            forced: false,
            failed: false,
            signalled: None,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The deadlines of the stop, once it has begun.
    pub(crate) fn deadlines(&self) -> Option<Deadlines> {
        self.deadlines
    }

    /// Something failed that does not change the phase, such as the closing of a resource.
    pub(crate) fn note_failure(&mut self) {
        self.failed = true;
    }

    /// Something was abandoned at a deadline that is not the phase's, such as a resource's own.
    pub(crate) fn note_abandoned(&mut self) {
        self.forced = true;
    }

    /// The outcome, as far as it is known.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.signalled, self.forced, self.failed) {
            (Some(signal), _, _) => Outcome::Signalled(signal.number()),
            (None, true, _) => Outcome::Forced,
            (None, false, true) => Outcome::Failed,
            (None, false, false) => Outcome::Clean,
        }
    }

    /// When [`Event::Time`] is due next. `None`: nothing is waited for.
    #[must_use]
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let deadlines = self.deadlines;
        match self.phase {
            Phase::Starting => Some(self.start_by),
            Phase::Ready | Phase::Stopped => None,
            Phase::LameDuck => deadlines.map(|d| match self.goodbye {
                false => goodbye_at(&d),
                true => d.lame_duck,
            }),
            Phase::Draining => deadlines.map(|d| match self.cut {
                Cut::NotYet => d.drain,
                Cut::Ordered => d.drain + LATE,
                Cut::AnsweredLate => d.drain + SEVER,
            }),
            Phase::Finishing => deadlines.map(|d| d.finish),
            Phase::Closing => deadlines.map(|d| d.close),
        }
    }

    /// Takes one event and says what is to be done. Every event also counts as [`Event::Time`], but for a phase of the
    /// stop that it begins: whether anything is left in it must be asked before its deadline can find it so.
    #[must_use]
    pub(crate) fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        let before = self.phase;
        match event {
            Event::Started => {
                if self.phase == Phase::Starting {
                    self.enter(Phase::Ready, &mut actions);
                }
            }
            Event::StartFailed => {
                if self.phase == Phase::Starting {
                    self.failed = true;
                    self.begin(now, true, &mut actions);
                }
            }
            Event::Signal(signal) => self.signal(signal, now, &mut actions),
            Event::Hangup => match self.rules.hangup {
                Hangup::Ignore => actions.push(Action::NoteHangup),
                Hangup::Stop => self.signal(StopSignal::Hangup, now, &mut actions),
                Hangup::Reload => actions.push(Action::Reload),
                #[cfg(feature = "restart")]
                Hangup::Restart => self.restart(&mut actions),
            },
            #[cfg(feature = "restart")]
            Event::Restart => self.restart(&mut actions),
            #[cfg(feature = "restart")]
            Event::HandedOver => self.begin(now, true, &mut actions),
            Event::Stop => self.begin(now, false, &mut actions),
            Event::Failed => {
                self.failed = true;
                self.begin(now, true, &mut actions);
            }
            Event::Empty => self.empty(&mut actions),
            Event::Time => {}
        }
        if self.phase == before || !self.may_be_empty() {
            self.time(now, &mut actions);
        }
        actions
    }

    /// Whether the phase ends as soon as nothing is left in it.
    fn may_be_empty(&self) -> bool {
        matches!(self.phase, Phase::Draining | Phase::Finishing | Phase::Closing)
    }

    fn signal(&mut self, signal: StopSignal, now: Instant, actions: &mut Vec<Action>) {
        if self.phase == Phase::Stopped {
            return;
        }
        match self.first_signal {
            None => {
                self.first_signal = Some(now);
                if self.deadlines.is_some() {
                    // A stop was begun from code: this is the first that the person at the terminal says.
                    actions.push(Action::NoteSignal(signal));
                } else {
                    self.begin(now, signal == StopSignal::Interrupt, actions);
                }
            }
            Some(first) if now.saturating_duration_since(first) < SAME_SIGNAL => {
                actions.push(Action::NoteSignal(signal));
            }
            Some(_) => match signal {
                StopSignal::Terminate | StopSignal::Hangup if !self.rules.repeated_term_forces => {
                    actions.push(Action::NoteSignal(signal));
                }
                StopSignal::Terminate
                | StopSignal::Interrupt
                | StopSignal::Quit
                | StopSignal::Hangup => {
                    self.signalled = Some(signal);
                    actions.push(Action::ForceExit(signal));
                }
            },
        }
    }

    /// A restart leaves the phase as it is until the hand-over is over.
    #[cfg(feature = "restart")]
    fn restart(&self, actions: &mut Vec<Action>) {
        actions.push(match self.phase {
            Phase::Ready => Action::Restart,
            Phase::Starting
            | Phase::LameDuck
            | Phase::Draining
            | Phase::Finishing
            | Phase::Closing
            | Phase::Stopped => Action::RefuseRestart,
        });
    }

    /// Begins the stop, unless it has begun.
    fn begin(&mut self, now: Instant, skip_lame_duck: bool, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Starting => {
                self.deadlines = Some(Deadlines::of_abandoned_start(&self.rules.budget, now));
                actions.push(Action::AbandonStart);
                self.enter(Phase::Closing, actions);
            }
            Phase::Ready => {
                let skip = skip_lame_duck || self.rules.budget.lame_duck.is_zero();
                self.deadlines = Some(Deadlines::fix(&self.rules.budget, now, skip));
                self.enter(if skip { Phase::Draining } else { Phase::LameDuck }, actions);
            }
            Phase::LameDuck
            | Phase::Draining
            | Phase::Finishing
            | Phase::Closing
            | Phase::Stopped => {}
        }
    }

    fn empty(&mut self, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Starting | Phase::Ready | Phase::LameDuck | Phase::Stopped => {}
            Phase::Draining => self.enter(Phase::Finishing, actions),
            Phase::Finishing => self.enter(Phase::Closing, actions),
            Phase::Closing => self.enter(Phase::Stopped, actions),
        }
    }

    /// Does what the time asks for, as often as it asks, up to the beginning of a phase that may be empty.
    fn time(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let before = self.phase;
        while self.wake_at().is_some_and(|at| at <= now) {
            if self.phase != before && self.may_be_empty() {
                return;
            }
            match self.phase {
                Phase::Starting => {
                    self.failed = true;
                    self.begin(now, true, actions);
                }
                Phase::LameDuck if !self.goodbye => {
                    self.goodbye = true;
                    actions.push(Action::SayGoodbye);
                }
                Phase::LameDuck => self.enter(Phase::Draining, actions),
                Phase::Draining => match self.cut {
                    Cut::NotYet => {
                        self.forced = true;
                        self.cut = Cut::Ordered;
                        actions.push(Action::CutSources);
                    }
                    Cut::Ordered => {
                        self.cut = Cut::AnsweredLate;
                        actions.push(Action::AnswerLate);
                    }
                    Cut::AnsweredLate => {
                        actions.push(Action::Sever);
                        self.enter(Phase::Finishing, actions);
                    }
                },
                Phase::Finishing => {
                    self.forced = true;
                    actions.push(Action::AbandonWorkers);
                    self.enter(Phase::Closing, actions);
                }
                Phase::Closing => {
                    self.forced = true;
                    actions.push(Action::AbandonResources);
                    self.enter(Phase::Stopped, actions);
                }
                Phase::Ready | Phase::Stopped => return,
            }
        }
    }

    fn enter(&mut self, phase: Phase, actions: &mut Vec<Action>) {
        self.phase = phase;
        actions.push(Action::Enter(phase));
    }
}

/// When the lame duck's last second begins: at once if it is shorter than that.
fn goodbye_at(deadlines: &Deadlines) -> Instant {
    deadlines.lame_duck.checked_sub(GOODBYE).map_or(deadlines.begun, |at| at.max(deadlines.begun))
}
