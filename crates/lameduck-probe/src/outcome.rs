//! What became of a request, judged by what went over the wire.

use serde::{Deserialize, Serialize};

/// The words of the project; every request has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A whole response.
    Answered,
    /// No byte of the request could be sent: safe to repeat.
    Refused,
    /// A whole 503 or 429.
    TurnedAway,
    /// The request was sent, the connection ended without a byte of response: the client cannot know.
    Lost,
    /// The response began and did not end.
    Cut,
    /// No end within the limit.
    Hung,
    /// What came is not what was asked for: no HTTP, a wrong status or body; or the client itself ran out of something.
    Bad,
}
