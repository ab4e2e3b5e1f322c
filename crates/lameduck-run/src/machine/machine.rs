//! The machine itself.

use std::time::{Duration, Instant};

use super::coming::Coming;
use super::leaving::{Leaving, Passed};
use super::state::{Old, State};
use super::stopping::{Code, Stopping};
use super::{Action, ChildId, End, Event, Fact, Failure, Rules, Sign, StopSignal};

/// Stop signals so close to each other are the same event: a terminal and a supervisor often both deliver one.
pub(super) const SAME_SIGNAL: Duration = Duration::from_millis(250);

/// The exit code where the first child did not become ready.
const NOT_READY: u8 = 1;

/// Decides what `lameduck run` does.
///
/// 1. One replacement at a time, which lasts until only one child is left. One that is asked for meanwhile follows;
///    several are one.
/// 2. The child that serves is told to end only once another is ready, or when everything stops.
/// 3. A child is told once; when its time is over it is killed, and 5 s later given up.
/// 4. Our copies of the sockets are closed before a stop is passed on.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    state: State,
    newest: ChildId,
    /// Another replacement follows.
    again: bool,
    /// The child that serves has said `READY=1`.
    said: bool,
}

impl Machine {
    /// The machine, and what is to be done first.
    pub(crate) fn new(rules: Rules, now: Instant) -> (Self, Vec<Action>) {
        let first = ChildId::FIRST;
        let state = State::Starting(Coming::new(first, &rules, false, now));
        (
            Self { rules, state, newest: first, again: false, said: false },
            vec![Action::Start(first)],
        )
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// When time alone changes something.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            State::Starting(coming) | State::Replacing { new: coming, .. } => {
                Some(coming.wake_at())
            }
            State::Retiring { leaving, .. } => Some(leaving.until),
            State::Stopping(stopping) => stopping.left.iter().map(|leaving| leaving.until).min(),
            State::Serving(_) | State::Over => None,
        }
    }

    /// What is to be done about an event.
    #[must_use]
    pub(crate) fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Replace => self.replace(now, &mut actions),
            Event::Stop(signal) => self.stop(signal, now, &mut actions),
            Event::Started(child) => self.started(child, now),
            Event::Ready(child, sign) => self.ready(child, sign, now, &mut actions),
            Event::Ended(child, end) => self.ended(child, end, now, &mut actions),
            Event::Time => self.time(now, &mut actions),
        }
        actions
    }

    fn replace(&mut self, now: Instant, actions: &mut Vec<Action>) {
        match self.state {
            State::Serving(old) => self.begin(old, now, actions),
            State::Starting(_) | State::Replacing { .. } | State::Retiring { .. } => {
                self.again = true;
                actions.push(Action::Say(Fact::Remembered));
            }
            State::Stopping(_) | State::Over => actions.push(Action::Say(Fact::Refused)),
        }
    }

    fn begin(&mut self, old: ChildId, now: Instant, actions: &mut Vec<Action>) {
        self.newest = self.newest.next();
        self.again = false;
        let new = Coming::new(self.newest, &self.rules, self.said, now);
        actions.push(Action::Say(Fact::Replacing { old, new: new.child }));
        actions.push(Action::Start(new.child));
        self.state = State::Replacing { old: Old::Serves(old), new };
    }

    /// One child is left, and serves.
    fn serve(&mut self, child: ChildId, now: Instant, actions: &mut Vec<Action>) {
        self.state = State::Serving(child);
        if self.again {
            self.begin(child, now, actions);
        }
    }

    /// On a machine that stands still a start may take longer than the time that a child has to live.
    fn started(&mut self, child: ChildId, now: Instant) {
        match &mut self.state {
            State::Starting(coming) | State::Replacing { new: coming, .. } => {
                if coming.child == child {
                    *coming = Coming::new(child, &self.rules, self.said, now);
                }
            }
            State::Serving(_) | State::Retiring { .. } | State::Stopping(_) | State::Over => {}
        }
    }

    fn stop(&mut self, signal: StopSignal, now: Instant, actions: &mut Vec<Action>) {
        let until = now + self.rules.grace;
        // Who is told, who was told before, and whose code is ours.
        let (told, leaving, code) = match &mut self.state {
            State::Starting(Coming { child, .. }) | State::Serving(child) => {
                (vec![*child], None, Code::Of(*child))
            }
            State::Replacing { old: Old::Serves(old), new } => {
                (vec![*old, new.child], None, Code::Of(*old))
            }
            State::Replacing { old: Old::Ended(end), new } => {
                (vec![new.child], None, Code::Is(end.exit_code()))
            }
            State::Retiring { serving, leaving, .. } => {
                (vec![*serving], Some(*leaving), Code::Of(*serving))
            }
            State::Stopping(stopping) => {
                let second = stopping.signalled.is_some_and(|first| now >= first + SAME_SIGNAL);
                stopping.signalled.get_or_insert(now);
                if second && signal.insists() {
                    actions.push(Action::Say(Fact::Forced(signal)));
                    for leaving in stopping.left.iter_mut().filter(|leaving| !leaving.killed) {
                        leaving.kill(now);
                        actions.push(Action::Kill(leaving.child));
                    }
                } else {
                    actions.push(Action::Say(Fact::Repeated(signal)));
                }
                return;
            }
            State::Over => return,
        };
        actions.extend([Action::Say(Fact::Stopping(signal)), Action::CloseSockets]);
        actions.extend(told.iter().map(|child| Action::Signal(*child, signal)));
        let told = told.into_iter().map(|child| Leaving::new(child, until));
        let left = leaving.into_iter().chain(told).collect();
        self.state = State::Stopping(Stopping { code, left, signalled: Some(now) });
    }

    fn ready(&mut self, child: ChildId, sign: Sign, now: Instant, actions: &mut Vec<Action>) {
        let counts = self.rules.accept(sign);
        match self.state {
            State::Starting(coming) if coming.child == child && counts => {
                self.said = sign == Sign::Said;
                actions.push(Action::Say(Fact::Ready(child, sign)));
                self.serve(child, now, actions);
            }
            State::Replacing { old, new } if new.child == child && counts => {
                self.said = sign == Sign::Said;
                actions.push(Action::Say(Fact::Ready(child, sign)));
                match old {
                    Old::Serves(old) => {
                        actions.push(Action::Signal(old, StopSignal::Terminate));
                        let leaving = Leaving::new(old, now + self.rules.grace);
                        self.state = State::Retiring { serving: child, leaving, replaced: true };
                    }
                    Old::Ended(_) => self.serve(child, now, actions),
                }
            }
            State::Serving(serving)
            | State::Replacing { old: Old::Serves(serving), .. }
            | State::Retiring { serving, .. }
                if serving == child && sign == Sign::Said =>
            {
                self.said = true;
            }
            State::Starting(_)
            | State::Serving(_)
            | State::Replacing { .. }
            | State::Retiring { .. }
            | State::Stopping(_)
            | State::Over => {}
        }
    }

    fn ended(&mut self, child: ChildId, end: End, now: Instant, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Starting(Coming { child: only, .. }) | State::Serving(only) => {
                if *only == child {
                    actions.push(Action::Say(Fact::Ended(child, end)));
                    self.exit(end.exit_code(), actions);
                }
            }
            State::Replacing { old, new } if new.child == child => {
                let (why, old) = (Failure::Ended(end), *old);
                self.replacement_failed(child, why, old, now, actions);
            }
            State::Replacing { old, .. } => {
                if *old == Old::Serves(child) {
                    *old = Old::Ended(end);
                    actions.push(Action::Say(Fact::Ended(child, end)));
                }
            }
            State::Retiring { serving, leaving, replaced } if leaving.child == child => {
                let (serving, replaced) = (*serving, *replaced);
                actions.push(Action::Say(if replaced {
                    Fact::Replaced { old: child, end, new: serving }
                } else {
                    Fact::Gone(child, end)
                }));
                self.serve(serving, now, actions);
            }
            State::Retiring { serving, leaving, .. } => {
                if *serving == child {
                    // What it did not end itself is left to the other one's grace.
                    let (code, left) = (Code::Is(end.exit_code()), vec![*leaving]);
                    actions.extend([Action::Say(Fact::Ended(child, end)), Action::CloseSockets]);
                    self.state = State::Stopping(Stopping { code, left, signalled: None });
                }
            }
            State::Stopping(stopping) => {
                if stopping.ended(child, end) {
                    actions.push(Action::Say(Fact::Gone(child, end)));
                    self.exit_when_empty(actions);
                }
            }
            State::Over => {}
        }
    }

    /// The new child has ended, or is not ready in time and has to be ended.
    fn replacement_failed(
        &mut self,
        new: ChildId,
        why: Failure,
        old: Old,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let serving = match old {
            Old::Serves(old) => Some(old),
            Old::Ended(_) => None,
        };
        actions.push(Action::Say(Fact::ReplacementFailed { new, why, old: serving }));
        let leaving = Leaving::new(new, now + self.rules.grace);
        match (why, old) {
            (Failure::Ended(_), Old::Serves(old)) => self.serve(old, now, actions),
            (Failure::Ended(_), Old::Ended(end)) => self.exit(end.exit_code(), actions),
            (Failure::NotReady, Old::Serves(serving)) => {
                actions.push(Action::Signal(new, StopSignal::Terminate));
                self.state = State::Retiring { serving, leaving, replaced: false };
            }
            (Failure::NotReady, Old::Ended(end)) => {
                self.give_up(leaving, end.exit_code(), actions);
            }
        }
    }

    /// Ends the last child, and then all.
    fn give_up(&mut self, last: Leaving, code: u8, actions: &mut Vec<Action>) {
        actions.push(Action::CloseSockets);
        actions.push(Action::Signal(last.child, StopSignal::Terminate));
        let (code, left) = (Code::Is(code), vec![last]);
        self.state = State::Stopping(Stopping { code, left, signalled: None });
    }

    fn time(&mut self, now: Instant, actions: &mut Vec<Action>) {
        match &mut self.state {
            State::Starting(coming) => {
                let coming = *coming;
                if coming.is_ready(now) {
                    self.ready(coming.child, Sign::Lived, now, actions);
                } else if now >= coming.late_at {
                    actions.push(Action::Say(Fact::NotReady(coming.child)));
                    let leaving = Leaving::new(coming.child, now + self.rules.grace);
                    self.give_up(leaving, NOT_READY, actions);
                }
            }
            State::Replacing { old, new } => {
                let (old, new) = (*old, *new);
                if new.is_ready(now) {
                    self.ready(new.child, Sign::Lived, now, actions);
                } else if now >= new.late_at {
                    self.replacement_failed(new.child, Failure::NotReady, old, now, actions);
                }
            }
            State::Retiring { leaving, .. } => match leaving.pass(now) {
                Passed::Waits => {}
                Passed::Killed(kill) => actions.extend(kill),
                Passed::GivenUp => {
                    let child = leaving.child;
                    actions.push(Action::Say(Fact::Unkillable(child)));
                    self.ended(child, KILLED, now, actions);
                }
            },
            State::Stopping(stopping) => {
                let mut given_up = Vec::new();
                for leaving in &mut stopping.left {
                    match leaving.pass(now) {
                        Passed::Waits => {}
                        Passed::Killed(kill) => actions.extend(kill),
                        Passed::GivenUp => given_up.push(leaving.child),
                    }
                }
                for child in given_up {
                    actions.push(Action::Say(Fact::Unkillable(child)));
                    stopping.ended(child, KILLED);
                }
                self.exit_when_empty(actions);
            }
            State::Serving(_) | State::Over => {}
        }
    }

    fn exit_when_empty(&mut self, actions: &mut Vec<Action>) {
        let State::Stopping(Stopping { code: Code::Is(code), left, .. }) = &self.state else {
            return;
        };
        if left.is_empty() {
            self.exit(*code, actions);
        }
    }

    fn exit(&mut self, code: u8, actions: &mut Vec<Action>) {
        self.state = State::Over;
        actions.push(Action::Exit(code));
    }
}

/// What a child that was killed, and never seen to end, counts as.
const KILLED: End = End::Signal(9);
