//! One task: what it is, what it says of itself, what its failure does. Shared by the task itself, its handles and
//! the supervisor thread, which may wait for none of its locks longer than for a few instructions.

use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::Level;

use super::failure::{Failure, Next};
use super::gate::Gate;
use super::policy::{OnFailure, Retries};
use super::pulse::{Pulse, Turn};
use crate::budget::{Deadlines, Span};
use crate::lifecycle::{Scope, Shared};
#[cfg(feature = "admin")]
use crate::part::TaskView;
use crate::part::{Identity, Life, Tier};
use crate::report::PartState;

/// The three kinds of tasks that a setup declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Timer,
    Consumer,
    Worker,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Timer => "timer",
            Kind::Consumer => "consumer",
            Kind::Worker => "worker",
        }
    }

    pub(crate) fn tier(self) -> Tier {
        match self {
            Kind::Timer | Kind::Consumer => Tier::Source,
            Kind::Worker => Tier::Worker,
        }
    }
}

/// What was chosen for a task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) on_failure: OnFailure,
    pub(super) promise: Option<Duration>,
    pub(super) fails_livez: bool,
    /// Consumers only: how many messages at once.
    pub(super) concurrency: usize,
}

/// What it said, and what was said of it.
#[derive(Debug, Default)]
struct Said {
    note: Option<String>,
    failures: u64,
    last_failure: Option<String>,
}

/// One task.
pub(crate) struct Task {
    pub(super) identity: Identity,
    kind: Kind,
    pub(super) shared: Arc<Shared>,
    /// Cancelled when it is told to end.
    pub(super) ending: CancellationToken,
    pub(super) life: Life,
    /// Timers and consumers only: whether they may take up something new.
    pub(super) gate: Gate,
    pulse: Pulse,
    settings: Mutex<Settings>,
    said: Mutex<Said>,
    /// Consumers only: messages that it holds.
    in_hand: AtomicUsize,
}

impl Task {
    pub(crate) fn new(
        name: &str,
        kind: Kind,
        place: &'static Location<'static>,
        shared: &Arc<Shared>,
    ) -> Arc<Task> {
        Arc::new(Task {
            identity: Identity { name: name.to_owned(), tier: kind.tier(), place },
            kind,
            shared: Arc::clone(shared),
            ending: CancellationToken::new(),
            life: Life::default(),
            gate: Gate::default(),
            pulse: Pulse::new(Instant::now()),
            settings: Mutex::new(Settings { concurrency: 1, ..Settings::default() }),
            said: Mutex::default(),
            in_hand: AtomicUsize::new(0),
        })
    }

    pub(super) fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the task says.

    /// It takes up a piece of work.
    pub(super) fn busy(&self) {
        self.pulse.busy(Instant::now());
    }

    /// Something that it had taken up is over.
    pub(super) fn leave(&self) {
        if self.gate.leave() {
            self.shared.events().check();
        }
    }

    /// It waits for work.
    pub(super) fn idle(&self) {
        self.pulse.idle();
    }

    /// It has as many messages in hand as this.
    pub(super) fn holds(&self, count: usize) {
        match (self.in_hand.swap(count, Ordering::Relaxed), count) {
            (_, 0) => self.idle(),
            (0, _) => self.busy(),
            (_, _) => self.beat(),
        }
    }

    /// A run failed: what follows, by its policy. What does not end the task is said here.
    pub(super) fn failed(&self, failure: Failure, retries: &mut Retries) -> Next {
        {
            let mut said = self.said();
            said.failures += 1;
            said.last_failure = Some(failure.to_string());
        }
        let name = &self.identity.name;
        let (kind, place) = (self.kind.name(), self.identity.place);
        match self.settings().on_failure {
            OnFailure::Stop => Next::End(failure),
            OnFailure::Ignore => {
                let text = format!("{kind} `{name}` ({place}) failed and goes on: {failure}");
                match self.kind {
                    Kind::Worker => Next::End(failure),
                    Kind::Timer | Kind::Consumer => {
                        self.shared.events().say(Level::WARN, text);
                        Next::GoOn
                    }
                }
            }
            OnFailure::Restart(backoff) => {
                let pause = retries.pause(backoff);
                let text = format!(
                    "{kind} `{name}` ({place}) failed, goes on in {}: {failure}",
                    Span(pause)
                );
                self.shared.events().say(Level::WARN, text);
                Next::After(pause)
            }
        }
    }

    /// It has ended.
    pub(super) fn end(&self, ended: Result<(), Failure>) {
        let left_at = self.left_at();
        let (state, detail) = match ended {
            Ok(()) => (PartState::Done, self.failures().or(left_at)),
            Err(Failure::Error(message)) => (PartState::Failed, Some(message)),
            Err(Failure::Panic(message)) => (PartState::Panicked, Some(message)),
        };
        self.pulse.end();
        self.life.end(state, detail);
    }

    /// Whether its failure is nothing to the service.
    pub(super) fn is_ignored(&self) -> bool {
        self.settings().on_failure == OnFailure::Ignore
    }

    // What others ask.

    /// How far it got, and its last note.
    fn left_at(&self) -> Option<String> {
        let progress = self.pulse.said_progress().map(|progress| progress.to_string());
        let said: Vec<String> = progress.into_iter().chain(self.said().note.clone()).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// The failures that did not end it.
    fn failures(&self) -> Option<String> {
        let said = self.said();
        let last = said.last_failure.as_ref()?;
        Some(match said.failures {
            1 => format!("failed once: {last}"),
            count => format!("failed {count} times, the last time: {last}"),
        })
    }

    /// What its line in the report says beside the state.
    pub(super) fn detail(&self) -> Option<String> {
        self.failures().or_else(|| self.left_at())
    }

    /// What it was doing when its time was over.
    pub(super) fn doing(&self, now: Instant) -> String {
        let mut text = match self.kind {
            Kind::Timer => "its run has not ended".to_owned(),
            Kind::Worker => "has not finished its queue".to_owned(),
            Kind::Consumer => match self.in_hand.load(Ordering::Relaxed) {
                1 => "a message has not ended".to_owned(),
                count => format!("{count} messages have not ended"),
            },
        };
        match self.pulse.busy_for(now) {
            Some(time) => text += &format!(", at this for {}", Span(time)),
            None => text += ", waits for work",
        }
        let promise = self.settings().promise;
        if let (true, Some(promise), Some(ago)) =
            (self.pulse.is_hung(), promise, self.pulse.beat_ago(now))
        {
            let (ago, promise) = (Span(ago), Span(promise));
            text = format!("hung, no beat for {ago} (promised within {promise}); {text}");
        }
        match self.left_at() {
            Some(left_at) => format!("{text}: {left_at}"),
            None => text,
        }
    }

    /// Judges it, and says so when the verdict changes.
    pub(super) fn look(&self, now: Instant) -> Option<Instant> {
        let promise = self.settings().promise?;
        if !self.life.has_begun() || self.life.has_ended() {
            return None;
        }
        let (turn, again) = self.pulse.look(promise, now);
        let (kind, name, place) = (self.kind.name(), &self.identity.name, self.identity.place);
        match turn {
            Turn::Same => {}
            Turn::Hung(ago) => {
                let (ago, promise) = (Span(ago), Span(promise));
                let left_at = self.left_at().map(|text| format!(": {text}")).unwrap_or_default();
                let text = format!(
                    "{kind} `{name}` ({place}) is hung: no beat for {ago}, promised within {promise}{left_at}"
                );
                self.shared.events().say(Level::WARN, text);
            }
            Turn::Beats => {
                let text = format!("{kind} `{name}` ({place}) is not hung any more");
                self.shared.events().say(Level::INFO, text);
            }
        }
        Some(again)
    }

    /// What `/tasks` shows.
    #[cfg(feature = "admin")]
    pub(super) fn view(&self, now: Instant) -> TaskView {
        let state = match self.life.state() {
            PartState::Running | PartState::Finishing if self.pulse.is_hung() => PartState::Hung,
            state @ (PartState::Starting
            | PartState::Running
            | PartState::Hung
            | PartState::Finishing
            | PartState::Done
            | PartState::Failed
            | PartState::Panicked
            | PartState::Abandoned) => state,
        };
        let settings = self.settings();
        let mut view =
            TaskView::new(&self.identity.name, self.kind.name(), self.identity.place, state);
        view.age = self.life.age();
        view.busy = self.pulse.busy_for(now);
        view.beat = self.pulse.beat_ago(now);
        view.promise = settings.promise;
        view.progress = self.pulse.said_progress();
        view.fails_livez = settings.fails_livez;
        let said = self.said();
        view.note = said.note.clone();
        view.failures = said.failures;
        view.last_failure = said.last_failure.clone();
        view
    }
}

impl Scope for Task {
    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn over(&self) -> &CancellationToken {
        match self.identity.tier {
            Tier::Source => &self.shared.drain_over,
            Tier::Worker | Tier::Resource => &self.shared.finish_over,
        }
    }

    fn deadline(&self, deadlines: &Deadlines) -> Instant {
        match self.identity.tier {
            Tier::Source => deadlines.drain,
            Tier::Worker | Tier::Resource => deadlines.finish,
        }
    }

    fn tier(&self) -> Tier {
        self.identity.tier
    }

    fn name(&self, _: u32) -> Option<String> {
        Some(format!("{} `{}`", self.kind.name(), self.identity.name))
    }

    fn note(&self, _: u32, text: String) {
        self.said().note = Some(text);
    }

    fn beat(&self) {
        self.pulse.beat();
    }

    fn progress(&self, _: u32, done: u64, of: u64) {
        self.pulse.progress(done, of);
    }
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("identity", &self.identity).finish_non_exhaustive()
    }
}
