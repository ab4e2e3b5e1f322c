//! What a predecessor does next: a pure machine, without I/O or a clock.
//!
//! ```text
//! Starting ──ready──▶ Sweeping ──swept──▶ Committed ──serving──▶ Serving ──at rest──▶ Over
//!     │                  │                    │                     │                 ▲
//!     └──────────────────┴── (it fails, or we stop) ──▶ Ending ─────┴─────────────────┘
//! ```

use std::fmt;
use std::time::{Duration, Instant};

use super::message::VERSION;
use crate::budget::Span;

/// How long the idle connections may take to be passed on before the commit. What is left is passed on afterwards.
pub(super) const SWEEP: Duration = Duration::from_secs(10);
/// How long a successor may take to say that it has taken a wave.
pub(super) const TAKE: Duration = Duration::from_secs(5);
/// How long it may take, from the commit, to say that it serves.
pub(super) const SERVE: Duration = Duration::from_secs(5);
/// How much longer than its own start it may take until it is ready: its process has to be started first.
pub(super) const SPAWN: Duration = Duration::from_secs(1);
/// How long a successor that is told to end may take to say that it does.
pub(super) const ANSWER: Duration = Duration::from_millis(250);
/// How long it may take to end after SIGTERM, until SIGKILL.
pub(super) const END: Duration = Duration::from_secs(2);
/// How long a process that was killed may take to be gone.
pub(super) const GONE: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The successor is ready, and speaks this version.
    Ready(u32),
    /// It has taken the wave.
    Taken,
    /// It accepts.
    Serving,
    /// It stops by itself and drains what it has; whether because something failed.
    Leaving { failed: bool },
    /// The link to it is of no use any more.
    Broken(Why),
    /// Its process has ended: how.
    Exited(String),
    /// This service is to stop.
    Stop,
    /// How things stand here.
    Look(Look),
    /// The clock moved; nothing else.
    Time,
}

/// How things stand in the predecessor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Connections wait to be sent.
    pub(super) waiting: bool,
    /// No connection is left that is idle and could be passed on.
    pub(super) swept: bool,
    /// No timer runs, no consumer holds a message.
    pub(super) background_at_rest: bool,
    /// No connection is left, nor anything else that a source holds.
    pub(super) at_rest: bool,
}

/// What is to be done now, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Have the parts pass on their connections.
    PassOn,
    /// Send as many of those that wait as one message holds.
    Wave,
    /// Take nothing new any more, and have the successor do so.
    Commit,
    /// Tell the successor that timers and consumers are at rest.
    Background,
    /// Tell it that nothing more comes.
    Done,
    /// Tell it that there will be no restart.
    Abort,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
    /// Take new work again, as before.
    Resume,
    /// Take back what was passed on: all that can be of a dead successor, of another what it has not taken.
    TakeBack { dead: bool },
    /// It is over.
    Finish(Result<(), Why>),
}

/// Why a restart came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It was not ready in time.
    NotReady(Duration),
    /// It ended: how.
    Exited(String),
    /// It closed the link and lives.
    Closed,
    /// It sent what is no message.
    Sent(String),
    /// It cannot be sent to.
    Send(String),
    /// It has not said in time what it should have.
    Silent(&'static str, Duration),
    /// It stops by itself.
    Leaving { failed: bool },
    /// This service is to stop.
    Stop,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotReady(limit) => {
                write!(
                    f,
                    "was not ready within {}; look at its log, or raise `start_within`",
                    Span(*limit)
                )
            }
            Why::Exited(how) => write!(f, "{how}; look at its log"),
            Why::Closed => f.write_str("closed the link to this process"),
            Why::Sent(what) => write!(f, "is no lameduck that this one understands: {what}"),
            Why::Send(error) => write!(f, "cannot be sent to: {error}"),
            Why::Silent(what, limit) => {
                write!(f, "did not say within {} that it {what}", Span(*limit))
            }
            Why::Leaving { failed: true } => f.write_str("failed and stops; look at its log"),
            Why::Leaving { failed: false } => f.write_str("was told to stop"),
            Why::Stop => f.write_str("is called off, since this process is to stop"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Sweeping,
    Committed,
    Serving,
    Ending(Why, Stage),
    Over,
}

/// How far the ending of a successor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It cannot be asked.
    Broken,
    Asked,
    Terminated,
    Killed,
}

/// The hand-over, as the predecessor has it.
///
/// 1. Every state but `Over` has a deadline.
/// 2. `Finish` is the last action, and comes once.
/// 3. What was committed is either done or resumed.
#[derive(Debug)]
pub(super) struct Giving {
    state: State,
    start: Duration,
    drain: Duration,
    /// The deadline of the state.
    until: Instant,
    /// Until when the wave that is on its way must have been taken.
    wave: Option<Instant>,
    committed: Option<Instant>,
    background: bool,
    /// Another version: it gets the sockets only.
    sockets_only: bool,
    look: Option<Look>,
}

impl Giving {
    /// The successor's process was started now. It may take that long to start, and the drain that long.
    pub(super) fn new(start: Duration, drain: Duration, now: Instant) -> Giving {
        let start = start.min(crate::budget::LONGEST);
        Giving {
            state: State::Starting,
            start,
            drain,
            until: now + start + SPAWN,
            wave: None,
            committed: None,
            background: false,
            sockets_only: false,
            look: None,
        }
    }

    /// When [`Event::Time`] is due next; none when all is over.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        match self.state {
            State::Over => None,
            State::Ending(..) => Some(self.until),
            State::Starting | State::Sweeping | State::Committed | State::Serving => {
                Some(self.wave.map_or(self.until, |wave| wave.min(self.until)))
            }
        }
    }

    /// Whether [`Event::Look`] is of use.
    pub(super) fn looks(&self) -> bool {
        matches!(self.state, State::Sweeping | State::Committed | State::Serving)
    }

    /// Whether nothing more is to be heard of the successor.
    pub(super) fn is_deaf(&self) -> bool {
        matches!(self.state, State::Ending(_, Stage::Broken | Stage::Killed))
    }

    /// When the commit was.
    pub(super) fn committed(&self) -> Option<Instant> {
        self.committed
    }

    /// Takes one event and says what is to be done. Every event also counts as [`Event::Time`].
    #[must_use]
    pub(super) fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Ready(version) => {
                if self.state == State::Starting {
                    self.ready(version, now, &mut actions);
                }
            }
            Event::Taken => self.wave = None,
            Event::Serving => {
                if self.state == State::Committed {
                    self.state = State::Serving;
                    self.until = self.committed.unwrap_or(now) + self.drain;
                }
            }
            Event::Leaving { failed } => self.leaving(failed, &mut actions),
            Event::Broken(why) => match self.state {
                State::Starting | State::Sweeping | State::Committed | State::Serving => {
                    // Whatever it is, it cannot be told anything any more. Most often it is about to be seen to end.
                    self.until = now + ANSWER;
                    self.state = State::Ending(why, Stage::Broken);
                }
                State::Ending(..) | State::Over => {}
            },
            Event::Exited(how) => match self.state.clone() {
                State::Starting | State::Sweeping | State::Committed | State::Serving => {
                    self.fail(Why::Exited(how), true, &mut actions);
                }
                State::Ending(why, _) => {
                    let why = if why == Why::Closed { Why::Exited(how) } else { why };
                    self.fail(why, true, &mut actions);
                }
                State::Over => {}
            },
            Event::Stop => match self.state {
                State::Starting | State::Sweeping => self.end(Why::Stop, now, &mut actions),
                State::Committed | State::Serving => self.done(&mut actions),
                State::Ending(..) | State::Over => {}
            },
            Event::Look(look) => self.look = Some(look),
            Event::Time => {}
        }
        self.decide(now, &mut actions);
        self.time(now, &mut actions);
        actions
    }

    fn ready(&mut self, version: u32, now: Instant, actions: &mut Vec<Action>) {
        self.sockets_only = version != VERSION;
        self.state = State::Sweeping;
        self.until = now + SWEEP;
        if self.sockets_only {
            self.commit(now, actions);
        } else {
            actions.push(Action::PassOn);
        }
    }

    fn leaving(&mut self, failed: bool, actions: &mut Vec<Action>) {
        match self.state.clone() {
            // Before it has said that it serves it never did, also where its word has crossed the commit.
            State::Starting | State::Sweeping | State::Committed => {
                self.fail(Why::Leaving { failed }, false, actions);
            }
            State::Serving if failed => self.fail(Why::Leaving { failed }, false, actions),
            // Whoever stops it stops the service, and what it drains it has.
            State::Serving => self.done(actions),
            State::Ending(why, _) => self.fail(why, false, actions),
            State::Over => {}
        }
    }

    /// Does what the last look allows.
    fn decide(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Some(look) = self.look else { return };
        if !self.looks() {
            return;
        }
        if look.waiting && self.wave.is_none() {
            self.wave = Some(now + TAKE);
            // What is said of the rest was said before.
            self.look = None;
            actions.push(Action::Wave);
            return;
        }
        let passed = !look.waiting && self.wave.is_none();
        match self.state {
            State::Sweeping if passed && look.swept => self.commit(now, actions),
            State::Committed | State::Serving => {
                if look.background_at_rest && !self.background {
                    self.background = true;
                    actions.push(Action::Background);
                }
                if self.state == State::Serving && look.at_rest && passed {
                    self.done(actions);
                }
            }
            State::Sweeping | State::Starting | State::Ending(..) | State::Over => {}
        }
    }

    fn time(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.wave.is_some_and(|wave| wave <= now) && self.looks() {
            self.end(Why::Silent("has taken the connections", TAKE), now, actions);
            return;
        }
        if self.until > now {
            return;
        }
        match self.state.clone() {
            State::Starting => self.end(Why::NotReady(self.start), now, actions),
            // A wave that is on its way has a deadline of its own.
            State::Sweeping if self.wave.is_some() => {}
            State::Sweeping => self.commit(now, actions),
            State::Committed => self.end(Why::Silent("serves", SERVE), now, actions),
            State::Serving => self.done(actions),
            State::Ending(why, Stage::Asked) => {
                actions.push(Action::Terminate);
                self.until = now + END;
                self.state = State::Ending(why, Stage::Terminated);
            }
            State::Ending(why, Stage::Broken | Stage::Terminated) => {
                actions.push(Action::Kill);
                self.until = now + GONE;
                self.state = State::Ending(why, Stage::Killed);
            }
            State::Ending(why, Stage::Killed) => self.fail(why, false, actions),
            State::Over => {}
        }
    }

    fn commit(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.state = State::Committed;
        self.until = now + SERVE;
        self.committed = Some(now);
        // What was seen before the pause says nothing about rest.
        self.look = None;
        actions.push(Action::Commit);
    }

    /// Begins to end the successor.
    fn end(&mut self, why: Why, now: Instant, actions: &mut Vec<Action>) {
        actions.push(Action::Abort);
        self.until = now + ANSWER;
        self.state = State::Ending(why, Stage::Asked);
    }

    fn fail(&mut self, why: Why, dead: bool, actions: &mut Vec<Action>) {
        self.state = State::Over;
        // What comes back is served as before: were the service still paused, it would drain.
        actions.extend([Action::Resume, Action::TakeBack { dead }, Action::Finish(Err(why))]);
    }

    fn done(&mut self, actions: &mut Vec<Action>) {
        self.state = State::Over;
        if !self.background {
            self.background = true;
            actions.push(Action::Background);
        }
        actions.extend([Action::Done, Action::Finish(Ok(()))]);
    }
}

#[cfg(test)]
mod tests;
