//! What became of requests and connections, counted.

use serde::Serialize;

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestCounts {
    /// Answered whole.
    pub completed: u64,
    /// Answered 503 at a deadline (the drain's, or the request's own), and safe to repeat.
    pub answered_503: u64,
    /// Answered 503 at a deadline, though a handler had begun and repeating is not safe: the client
    /// was told that the outcome is unknown.
    pub interrupted: u64,
    /// Cut: the response had begun and did not end, at a deadline or by a fault of the handler.
    pub cut: u64,
    /// Given up by the client before the response was whole.
    pub gone: u64,
}

impl RequestCounts {
    #[cfg(feature = "http1")]
    pub(crate) fn add(&mut self, more: RequestCounts) {
        self.completed += more.completed;
        self.answered_503 += more.answered_503;
        self.interrupted += more.interrupted;
        self.cut += more.cut;
        self.gone += more.gone;
    }
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionCounts {
    /// Accepted.
    pub accepted: u64,
    /// Closed by us while idle.
    pub closed_idle: u64,
    /// Upgraded, to WebSocket for instance.
    pub upgraded: u64,
    /// Passed on to a successor.
    pub passed_on: u64,
    /// Cut at the drain deadline.
    pub cut: u64,
    /// Ended in any way, these included.
    pub closed: u64,
}

impl ConnectionCounts {
    #[cfg(feature = "http1")]
    pub(crate) fn add(&mut self, more: ConnectionCounts) {
        self.accepted += more.accepted;
        self.closed_idle += more.closed_idle;
        self.upgraded += more.upgraded;
        self.passed_on += more.passed_on;
        self.cut += more.cut;
        self.closed += more.closed;
    }
}

/// Both counts, as they grow over a service's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) requests: RequestCounts,
    pub(crate) connections: ConnectionCounts,
    /// Requests in flight, now.
    pub(crate) in_flight: u64,
    /// Connections by state, now.
    pub(crate) open: OpenCounts,
}

/// Open connections by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenCounts {
    /// Its peer has not sent a byte.
    pub(crate) unspoken: u64,
    /// A TLS handshake is under way, begun or not.
    pub(crate) handshake: u64,
    /// Half a request head has come.
    pub(crate) head: u64,
    pub(crate) in_flight: u64,
    /// Nothing is under way, and something was.
    pub(crate) idle: u64,
    pub(crate) upgraded: u64,
}

impl Totals {
    /// What was added since an earlier count.
    pub(crate) fn since(&self, earlier: &Totals) -> (RequestCounts, ConnectionCounts) {
        let (now, then) = (self.requests, earlier.requests);
        let requests = RequestCounts {
            completed: now.completed.saturating_sub(then.completed),
            answered_503: now.answered_503.saturating_sub(then.answered_503),
            interrupted: now.interrupted.saturating_sub(then.interrupted),
            cut: now.cut.saturating_sub(then.cut),
            gone: now.gone.saturating_sub(then.gone),
        };
        let (now, then) = (self.connections, earlier.connections);
        let connections = ConnectionCounts {
            accepted: now.accepted.saturating_sub(then.accepted),
            closed_idle: now.closed_idle.saturating_sub(then.closed_idle),
            upgraded: now.upgraded.saturating_sub(then.upgraded),
            passed_on: now.passed_on.saturating_sub(then.passed_on),
            cut: now.cut.saturating_sub(then.cut),
            closed: now.closed.saturating_sub(then.closed),
        };
        (requests, connections)
    }
}
