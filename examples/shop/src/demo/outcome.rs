//! What became of one request, judged by what went over the wire.

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A whole response.
    Answered {
        /// Its status.
        status: u16,
    },
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
}
