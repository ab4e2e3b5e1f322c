//! Limits that keep one client from holding the server in ordinary life.

use std::time::Duration;

/// The limits of one server. All times are kept by the supervisor's tick, so they are accurate to a second,
/// and never early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From a request head's first byte to its end.
    pub(crate) header_timeout: Duration,
    /// From the accept to the end of the TLS handshake.
    pub(crate) handshake_timeout: Duration,
    /// How long a connection may be silent.
    pub(crate) idle_timeout: Duration,
    /// From the end of a request's head to the end of its response.
    pub(crate) request_timeout: Option<Duration>,
    /// How many connections are held at once; further ones wait in the accept queue.
    pub(crate) connections: Option<usize>,
    /// How long a silent connection may still speak once the drain began.
    pub(crate) idle_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            request_timeout: None,
            connections: None,
            idle_grace: Duration::from_millis(250),
        }
    }
}
