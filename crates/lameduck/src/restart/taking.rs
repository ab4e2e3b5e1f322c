//! What a successor does next: a pure machine, without I/O or a clock.
//!
//! ```text
//! Starting ──up──▶ Offered ──commit──▶ Committed ──background──▶ Whole ──▶ Alone
//! ```
//! A predecessor that is gone has said all that it would have said.

use std::time::{Duration, Instant};

/// How long after it is ready a successor waits for the commit. A predecessor needs 10 s at most to pass on its idle
/// connections, and 5 s for the last of them.
pub(super) const COMMIT: Duration = Duration::from_secs(30);
/// How much longer than it said a predecessor may take until its timers and consumers rest.
pub(super) const LATE: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// This service is ready, but does not accept.
    Up,
    /// Connections came.
    Connections,
    /// The predecessor commits. It will be done within this time.
    Commit(Duration),
    /// Its timers and consumers are at rest.
    Background,
    /// It passes on nothing more.
    Done,
    /// It calls the restart off.
    Abort,
    /// It is gone, or makes no sense.
    Gone,
    /// This service accepts.
    Serving,
    /// This service has begun to stop; whether because something failed.
    Stopping { failed: bool },
    /// The clock moved; nothing else.
    Time,
}

/// What is to be done now, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Say that this service is ready.
    SayReady,
    /// Take the connections that came.
    Take,
    /// Leave them to the predecessor: say nothing, and close the descriptors.
    Leave,
    /// Accept.
    Accept,
    /// Say that it accepts.
    SayServing,
    /// Start timers and consumers.
    StartBackground,
    /// The same, though the predecessor has not said that its own rest.
    StartBackgroundLate,
    /// The predecessor is done: another restart may come.
    Free,
    /// The predecessor is gone: nobody else holds the sockets.
    Alone,
    /// Say that it stops.
    SayLeaving { failed: bool },
    /// Stop, since the predecessor called it off, or never committed.
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Offered,
    Committed,
    /// Timers and consumers run too.
    Whole,
    Stopping,
}

/// The hand-over, as the successor has it.
///
/// 1. It accepts from the commit on, and not before; timers and consumers start no earlier than that.
/// 2. Once it stops it takes nothing more.
#[derive(Debug)]
pub(super) struct Taking {
    state: State,
    /// Up to when the state may last.
    until: Option<Instant>,
    gone: bool,
    done: bool,
}

impl Taking {
    pub(super) fn new() -> Taking {
        Taking { state: State::Starting, until: None, gone: false, done: false }
    }

    /// When [`Event::Time`] is due next.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether nothing more can come of the predecessor.
    pub(super) fn is_over(&self) -> bool {
        self.gone && matches!(self.state, State::Whole | State::Stopping)
    }

    /// Takes one event and says what is to be done. Every event also counts as [`Event::Time`].
    #[must_use]
    pub(super) fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Up => {
                if self.state == State::Starting {
                    self.state = State::Offered;
                    self.until = Some(now + COMMIT);
                    actions.push(Action::SayReady);
                    if self.gone {
                        self.take_all(&mut actions);
                    }
                }
            }
            Event::Connections => actions.push(match self.state {
                State::Offered | State::Committed | State::Whole => Action::Take,
                State::Starting | State::Stopping => Action::Leave,
            }),
            Event::Commit(within) => {
                if self.state == State::Offered {
                    self.state = State::Committed;
                    let within = within.min(crate::budget::LONGEST);
                    self.until = Some(now + within + LATE);
                    actions.push(Action::Accept);
                }
            }
            Event::Background => self.background(Action::StartBackground, &mut actions),
            Event::Done => {
                self.background(Action::StartBackground, &mut actions);
                self.free(&mut actions);
            }
            Event::Abort => match self.state {
                State::Starting | State::Offered | State::Committed | State::Whole => {
                    self.stop(false, &mut actions);
                    actions.push(Action::Stop);
                }
                State::Stopping => {}
            },
            Event::Gone => {
                if !self.gone {
                    self.gone = true;
                    match self.state {
                        State::Offered | State::Committed => self.take_all(&mut actions),
                        State::Whole => {
                            self.free(&mut actions);
                            actions.push(Action::Alone);
                        }
                        State::Starting | State::Stopping => {}
                    }
                }
            }
            Event::Serving => actions.push(Action::SayServing),
            Event::Stopping { failed } => {
                if self.state != State::Stopping {
                    self.stop(failed, &mut actions);
                }
            }
            Event::Time => {}
        }
        self.time(now, &mut actions);
        actions
    }

    fn time(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.until.is_none_or(|until| until > now) {
            return;
        }
        self.until = None;
        match self.state {
            State::Offered => {
                self.stop(true, actions);
                actions.push(Action::Stop);
            }
            State::Committed => self.background(Action::StartBackgroundLate, actions),
            State::Starting | State::Whole | State::Stopping => {}
        }
    }

    fn background(&mut self, how: Action, actions: &mut Vec<Action>) {
        if self.state == State::Committed {
            self.state = State::Whole;
            self.until = None;
            actions.push(how);
        }
    }

    fn free(&mut self, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.done, true) {
            actions.push(Action::Free);
        }
    }

    /// The predecessor is gone: everything is this service's.
    fn take_all(&mut self, actions: &mut Vec<Action>) {
        if self.state == State::Offered {
            self.state = State::Committed;
            actions.push(Action::Accept);
        }
        self.background(Action::StartBackground, actions);
        self.free(actions);
        actions.push(Action::Alone);
    }

    fn stop(&mut self, failed: bool, actions: &mut Vec<Action>) {
        self.state = State::Stopping;
        self.until = None;
        actions.push(Action::SayLeaving { failed });
    }
}

#[cfg(test)]
mod tests;
