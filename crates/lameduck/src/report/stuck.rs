//! What still ran at its deadline.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::budget::Span;

/// Something that still ran at its deadline: the culprit, named.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stuck {
    /// What kind of thing it is.
    pub kind: StuckKind,
    /// A request's method and route or path; a part's or shield's name.
    pub name: String,
    /// A request's peer; a part's or shield's source file and line.
    pub place: String,
    /// How long it had been running, or, for a part, ending.
    #[serde(rename = "age_ms", serialize_with = "super::millis")]
    pub age: Duration,
    /// What it was doing, as far as that is known, and what its handler noted.
    pub doing: String,
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
            StuckKind::Setup => write!(f, "the setup ({}), {age}, {}", self.place, self.doing),
        }
    }
}
