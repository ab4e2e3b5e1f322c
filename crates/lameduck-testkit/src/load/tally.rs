//! What a load saw.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Requests by outcome: each is in exactly one of the first six and `bad`; the others say more about them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// A whole response, as expected.
    pub answered: u64,
    /// No byte of the request could be sent.
    pub refused: u64,
    /// A whole 503 or 429.
    pub turned_away: u64,
    /// Sent, and the connection ended without a byte of response.
    pub lost: u64,
    /// The response began and did not end.
    pub cut: u64,
    /// No end within the limit.
    pub hung: u64,
    /// A whole response that is not the expected one, no HTTP, or a fault of the client's own machine.
    pub bad: u64,
    /// Of `lost`: those whose connection had been established and was then reset.
    pub reset: u64,
    /// Connections opened again by clients that had one before.
    pub reconnects: u64,
    /// The first few failures, refusals aside, each with its time since the signal (since the start if there was none).
    pub failures: Vec<String>,
}

impl Tally {
    /// Requests made.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answered + self.refused + self.turned_away + self.failed()
    }

    /// Requests whose client was let down: lost, cut, hung or bad.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.lost + self.cut + self.hung + self.bad
    }

    /// Adds another load's counts.
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.turned_away += other.turned_away;
        self.lost += other.lost;
        self.cut += other.cut;
        self.hung += other.hung;
        self.bad += other.bad;
        self.reset += other.reset;
        self.reconnects += other.reconnects;
        self.failures.extend_from_slice(&other.failures);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests: {} answered, {} refused, {} turned away, {} lost ({} by reset), {} cut, {} hung, {} bad; \
             {} reconnects",
            self.requests(),
            self.answered,
            self.refused,
            self.turned_away,
            self.lost,
            self.reset,
            self.cut,
            self.hung,
            self.bad,
            self.reconnects
        )?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}
