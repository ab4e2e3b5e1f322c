//! One part of the service in the report.

use std::time::Duration;

use serde::Serialize;

/// One part of the service: a source, a worker or a resource.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PartReport {
    /// Its name.
    pub name: String,
    /// `source`, `worker` or `resource`.
    pub tier: &'static str,
    /// The source line that declared it.
    pub place: String,
    /// How it ended.
    pub state: PartState,
    /// How long it took from being told to end until it had ended.
    #[serde(rename = "took_ms", serialize_with = "super::maybe_millis")]
    pub took: Option<Duration>,
    /// What there is to say: an error, a panic's message, how a listener was closed.
    pub detail: Option<String>,
    /// A server's listener was closed in a way that may have reset a connection unheard, or certainly has: `detail` says
    /// how, and why no better way was possible.
    pub may_have_lost: bool,
}

/// The state of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartState {
    /// Declared, not begun.
    Starting,
    /// At work.
    Running,
    /// At work, but it promised to beat within a time and did not. In `/tasks` only: a stop ends it as something else.
    Hung,
    /// Told to end.
    Finishing,
    /// Ended in order.
    Done,
    /// Ended with an error.
    Failed,
    /// Panicked.
    Panicked,
    /// Left behind at its deadline.
    Abandoned,
}

impl PartState {
    /// The word used in `/tasks`, the metrics and the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PartState::Starting => "starting",
            PartState::Running => "running",
            PartState::Hung => "hung",
            PartState::Finishing => "finishing",
            PartState::Done => "done",
            PartState::Failed => "failed",
            PartState::Panicked => "panicked",
            PartState::Abandoned => "abandoned",
        }
    }
}
