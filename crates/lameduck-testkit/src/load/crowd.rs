//! The load for restarts and reloads: clients of each kind that a service has at once.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::failure::Failure;
use crate::load::fresh::Fresh;
use crate::load::held::{Held, HeldTally};
use crate::load::keep_alive::KeepAlive;
use crate::load::latency::Latencies;
use crate::load::running::Running;
use crate::load::tally::Tally;

/// Clients that keep one connection for the whole run, clients with a connection for each request, and connections that
/// stay idle between a first and a last request. A kept or an idle connection that has to be opened again is a
/// reconnect, and no restart may cause one.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    addr: SocketAddr,
    kept: usize,
    fresh: usize,
    idle: usize,
    mixed: bool,
    spread: Duration,
}

impl Crowd {
    /// 40 that keep their connection and think for 0 to 10 ms, 10 fresh ones, 50 idle connections. All ask for `/`.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        let spread = Duration::from_millis(50);
        Self { addr, kept: 40, fresh: 10, idle: 50, mixed: false, spread }
    }

    /// Other numbers of each.
    #[must_use]
    pub fn of(self, kept: usize, fresh: usize, idle: usize) -> Self {
        Self { kept, fresh, idle, ..self }
    }

    /// The kept ones ask as [`KeepAlive::mixed`] ones do.
    #[must_use]
    pub fn mixed(self) -> Self {
        Self { mixed: true, ..self }
    }

    /// How far away they are: they start out of step over more than two round trips.
    #[must_use]
    pub fn away(self, round_trip: Duration) -> Self {
        Self { spread: self.spread.max(round_trip.mul_f64(2.5)), ..self }
    }

    /// Opens the idle connections, then starts the others.
    ///
    /// # Errors
    /// An idle connection could not be opened.
    pub fn start(self) -> Result<Gathered, Failure> {
        let idle = Held::open(self.addr, self.idle)?;
        let kept = KeepAlive::new(self.addr).clients(self.kept).spread(self.spread);
        // The kept ones compare each body with what they asked for.
        let kept = if self.mixed { kept.mixed() } else { kept.expect("OK") };
        let fresh = Fresh::new(self.addr).clients(self.fresh).spread(self.spread).expect("OK");
        Ok(Gathered { kept: kept.start(), fresh: fresh.start(), idle })
    }
}

/// A [`Crowd`] under way.
#[derive(Debug)]
pub struct Gathered {
    kept: Running,
    fresh: Running,
    idle: Held,
}

impl Gathered {
    /// Says that a restart begins, or is over: see [`Running::disturbed`].
    pub fn disturbed(&self, now: bool) {
        self.kept.disturbed(now);
        self.fresh.disturbed(now);
    }

    /// How many requests were answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.kept.answered() + self.fresh.answered()
    }

    /// Waits until so many more requests of each kind are answered.
    ///
    /// # Panics
    /// If they aren't within 20 s.
    #[track_caller]
    pub fn flowing(&self, requests: u64) -> &Self {
        self.kept.flowing(requests);
        self.fresh.flowing(requests);
        self
    }

    /// Ends the clients, asks on the idle connections once more, and counts.
    #[must_use]
    pub fn finish(self) -> CrowdTally {
        self.kept.stop();
        self.fresh.stop();
        let (kept, kept_took) = self.kept.finish_timed();
        let (fresh, fresh_took) = self.fresh.finish_timed();
        CrowdTally { kept, fresh, idle: self.idle.finish(), kept_took, fresh_took }
    }
}

/// What a [`Crowd`] saw.
#[derive(Debug, Clone)]
pub struct CrowdTally {
    /// Those that keep their connection.
    pub kept: Tally,
    /// Those with a connection for each request.
    pub fresh: Tally,
    /// The idle connections.
    pub idle: HeldTally,
    /// How long the kept ones' requests took.
    pub kept_took: Latencies,
    /// How long the fresh ones' took, their connects included.
    pub fresh_took: Latencies,
}

impl CrowdTally {
    /// All counts together.
    #[must_use]
    pub fn all(&self) -> Tally {
        let mut all = self.kept.clone();
        all.add(&self.fresh);
        all.add(&self.idle.tally);
        all
    }

    /// The guarantee of a restart.
    ///
    /// # Errors
    /// What was seen of it: a request lost, cut, refused or answered wrongly, a reconnect, an idle connection gone.
    pub fn unharmed(&self) -> Result<(), String> {
        let all = self.all();
        let harmed = all.requests() - all.answered + all.reconnects;
        if harmed == 0 && self.idle.alive == self.idle.of {
            return Ok(());
        }
        Err(self.to_string())
    }
}

impl fmt::Display for CrowdTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kept: {}", self.kept)?;
        writeln!(f, "fresh: {}", self.fresh)?;
        write!(f, "idle: {}", self.idle)
    }
}
