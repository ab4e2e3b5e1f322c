//! What still ran at its deadline.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::budget::Span;
use crate::threads::Runs;

/// Something that still ran at its deadline: the culprit, named.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stuck {
    /// What kind of thing it is.
    pub kind: StuckKind,
    /// A request's method and route or path; the name of a part, a shield, blocking work, a thread.
    pub name: String,
    /// A request's peer; the source file and line of a part, a shield, blocking work; a thread's number.
    pub place: String,
    /// How long it had been running, or, for a part, ending. Of a thread: for how long at least.
    #[serde(rename = "age_ms", serialize_with = "super::millis")]
    pub age: Duration,
    /// What it was doing, as far as that is known, and what its handler noted.
    pub doing: String,
    /// What a thread shows that runs it.
    #[serde(skip)]
    pub(crate) runs: Option<Runs>,
    /// The thread that it has for itself.
    #[serde(skip)]
    pub(crate) thread: Option<i32>,
}

impl Stuck {
    pub(crate) fn new(
        kind: StuckKind,
        name: String,
        place: String,
        age: Duration,
        doing: String,
    ) -> Stuck {
        Stuck { kind, name, place, age, doing, runs: None, thread: None }
    }

    /// What a thread shows that runs it.
    pub(crate) fn runs(self, runs: Runs) -> Stuck {
        Stuck { runs: Some(runs), ..self }
    }

    /// The thread that it has for itself.
    pub(crate) fn on(self, thread: Option<i32>) -> Stuck {
        Stuck { thread, ..self }
    }
}

/// The kinds of stuck things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StuckKind {
    /// A request.
    Request,
    /// A shielded piece of work.
    Shield,
    /// A source, such as a listener that could not be closed.
    Source,
    /// A worker.
    Worker,
    /// A resource.
    Resource,
    /// The setup of the service.
    Setup,
    /// Blocking work, on a thread of its own.
    Blocking,
    /// A thread of the runtime that runs nothing lameduck knows of and does not come back.
    Thread,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = Span(self.age);
        match self.kind {
            StuckKind::Request => {
                write!(f, "request {} from {}, {age}, {}", self.name, self.place, self.doing)
            }
            StuckKind::Shield => {
                write!(f, "shield `{}` ({}), {age}, {}", self.name, self.place, self.doing)
            }
            StuckKind::Source => {
                write!(f, "source `{}` ({}), {age}, {}", self.name, self.place, self.doing)
            }
            StuckKind::Worker => {
                write!(f, "worker `{}` ({}), {age}, {}", self.name, self.place, self.doing)
            }
            StuckKind::Resource => {
                write!(f, "resource `{}` ({}), {age}, {}", self.name, self.place, self.doing)
            }
            StuckKind::Blocking => {
                write!(f, "blocking work `{}` ({}), {age}, {}", self.name, self.place, self.doing)
            }
            StuckKind::Thread => {
                write!(f, "{} `{}`, {age} at least, {}", self.place, self.name, self.doing)
            }
            StuckKind::Setup => write!(f, "the setup ({}), {age}, {}", self.place, self.doing),
        }
    }
}
