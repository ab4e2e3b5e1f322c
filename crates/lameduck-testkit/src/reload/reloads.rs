//! Reloads under load: the same for every server.

use std::time::{Duration, Instant};

use super::Reload;
use crate::load::{Crowd, CrowdTally};
use crate::pause::{eventually, pause};
use crate::relay::Relay;

/// How many reloads, how far apart, and from how far away the clients ask.
#[derive(Debug, Clone, Copy)]
pub struct Reloads {
    /// How many.
    pub count: u32,
    /// Requests that begin within so long after the order are counted as disturbed. As long a quiet time follows before
    /// the next.
    pub window: Duration,
    /// A round trip between clients and server; nothing for loopback as it is.
    pub round_trip: Duration,
}

/// What reloads came to.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// What the clients saw.
    pub crowd: CrowdTally,
    /// How many processes more than before there were a moment after the last reload, while the clients still had their
    /// connections: old ones that could not end.
    pub left_behind: usize,
}

impl Reloads {
    /// Puts the server under a [`Crowd`] and reloads it, again and again.
    ///
    /// # Errors
    /// It could not be told to, or did not answer before the first time.
    pub fn run(&self, server: &mut dyn Reload) -> Result<Reloaded, String> {
        let relay = Relay::start(server.addr(), self.round_trip / 2);
        let addr = if self.round_trip.is_zero() { server.addr() } else { relay.addr() };
        let before = server.server().processes().len();
        let crowd = Crowd::new(addr).away(self.round_trip).start();
        let crowd = crowd.map_err(|failure| format!("an idle connection: {failure}"))?;
        crowd.flowing(100);
        for number in 0..self.count {
            // At another moment of the round trip each time: the golden ratio spreads any number of them evenly.
            pause(self.window + self.round_trip.mul_f64((f64::from(number) * 0.618).fract()));
            crowd.disturbed(true);
            let end = Instant::now() + self.window;
            server.reload()?;
            pause(end.saturating_duration_since(Instant::now()));
            crowd.disturbed(false);
        }
        // So that the last reload's losses are over too.
        pause(self.window + self.round_trip);
        let left_behind = || server.server().processes().len().saturating_sub(before);
        let _ = eventually(Duration::from_secs(2), || left_behind() == 0);
        let left_behind = left_behind();
        Ok(Reloaded { crowd: crowd.finish(), left_behind })
    }
}
