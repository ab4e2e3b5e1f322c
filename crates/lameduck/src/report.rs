//! The report: what happened from the signal to the exit. One value, with its text, its JSON and, while it
//! happens, `tracing` events. It must never hold a secret: of a request it knows the path without its query.

mod cause;
mod counts;
mod part;
mod stuck;
mod text;
mod write;

use std::time::Duration;

use serde::{Serialize, Serializer};

pub use self::cause::Cause;
pub(crate) use self::counts::Totals;
pub use self::counts::{ConnectionCounts, RequestCounts};
pub use self::part::{PartReport, PartState};
pub use self::stuck::{Stuck, StuckKind};
pub(crate) use self::write::{Callback, Destination, write_bounded};
use crate::phase::{Outcome, Phase};

/// What happened from the signal to the exit.
///
/// [`std::fmt::Display`] writes it for people, the verdict first; [`Report::to_json`] for machines, on one
/// line. New fields may be added to the JSON, none is renamed or removed within a major version.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The service's name.
    pub service: String,
    /// The service's version, where it gave one.
    pub version: Option<String>,
    /// The process id.
    pub pid: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code that says so.
    pub exit_code: u8,
    /// Why it stopped.
    pub cause: Cause,
    /// When the stop began: RFC 3339, UTC.
    pub began: String,
    /// From the beginning of the stop to the report.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
    /// How long each phase of the stop took, in order.
    pub phases: Vec<PhaseTime>,
    /// What became of requests during the stop.
    pub requests: RequestCounts,
    /// What became of connections during the stop.
    pub connections: ConnectionCounts,
    /// The parts of the service and how they ended.
    pub parts: Vec<PartReport>,
    /// How many restarts have failed since the start.
    pub restarts_failed: u64,
    /// Panics of handlers, shields and blocking work since the start: the first twenty, and how many there were.
    pub panics: Panics,
    /// Whatever still ran at its deadline: the first hundred.
    pub stuck: Vec<Stuck>,
    /// How many more were stuck than `stuck` lists.
    pub stuck_unlisted: usize,
}

/// How long a phase took.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct PhaseTime {
    /// The phase.
    pub phase: Phase,
    /// Its length.
    #[serde(rename = "took_ms", serialize_with = "millis")]
    pub took: Duration,
}

/// Panics of what is the user's and does not end the service: handlers, each answered with 500; bodies of responses, which
/// are cut where their head is out; shields and blocking work, whose caller is told.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Panics {
    /// How many there were.
    pub count: u64,
    /// The first twenty: where, and the message.
    pub first: Vec<String>,
}

impl Panics {
    /// Takes note of one.
    pub(crate) fn add(&mut self, text: String) {
        self.count += 1;
        if self.first.len() < 20 {
            self.first.push(text);
        }
    }
}

impl Report {
    /// How many stuck things are listed at most.
    pub(crate) const STUCK_LISTED: usize = 100;

    /// The report as one line of JSON, without a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serializing a tree of plain values into a string has no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A duration in milliseconds, with three decimals.
fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1e6).round() / 1e3)
}

pub(crate) fn maybe_millis<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => millis(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;
