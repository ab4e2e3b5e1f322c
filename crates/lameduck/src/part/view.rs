//! One task as `/tasks` and the metrics show it.

#[cfg(feature = "admin")]
use std::panic::Location;
#[cfg(feature = "admin")]
use std::time::Duration;

use serde::Serialize;

#[cfg(feature = "admin")]
use crate::report::{PartState, maybe_millis};

/// One task, now.
#[cfg(feature = "admin")]
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TaskView {
    pub(crate) name: String,
    /// `timer`, `consumer`, `worker`, `shield` or `blocking`.
    pub(crate) kind: &'static str,
    pub(crate) place: String,
    pub(crate) state: PartState,
    /// Since it began.
    #[serde(rename = "age_ms", serialize_with = "maybe_millis")]
    pub(crate) age: Option<Duration>,
    /// Since it took up what it is at; none while it waits for work.
    #[serde(rename = "busy_ms", serialize_with = "maybe_millis")]
    pub(crate) busy: Option<Duration>,
    /// Since its last beat.
    #[serde(rename = "beat_ms", serialize_with = "maybe_millis")]
    pub(crate) beat: Option<Duration>,
    /// What it promised.
    #[serde(rename = "promise_ms", serialize_with = "maybe_millis")]
    pub(crate) promise: Option<Duration>,
    pub(crate) progress: Option<Progress>,
    pub(crate) note: Option<String>,
    pub(crate) failures: u64,
    pub(crate) last_failure: Option<String>,
    /// `/livez` is 503 while it is hung.
    #[serde(skip)]
    pub(crate) fails_livez: bool,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    /// Null if it is not known.
    pub(crate) of: Option<u64>,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.of {
            Some(of) => write!(f, "{} of {of}", self.done),
            None => write!(f, "{} done", self.done),
        }
    }
}

#[cfg(feature = "admin")]
impl TaskView {
    /// A task of which nothing more is known.
    pub(crate) fn new(
        name: &str,
        kind: &'static str,
        place: &Location<'_>,
        state: PartState,
    ) -> TaskView {
        TaskView {
            name: name.to_owned(),
            kind,
            place: place.to_string(),
            state,
            age: None,
            busy: None,
            beat: None,
            promise: None,
            progress: None,
            note: None,
            failures: 0,
            last_failure: None,
            fails_livez: false,
        }
    }
}
