//! A load under way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::load::latency::Latencies;
use crate::load::log::Log;
use crate::load::tally::Tally;
use crate::pause::{eventually, pause};

/// Kept of all clients together.
const KEPT: usize = 8;

/// What the clients share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    stopped: AtomicBool,
    signalled: OnceLock<Instant>,
    disturbed: AtomicBool,
    answered: AtomicU64,
}

impl Shared {
    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// True if a refusal is the expected end.
    pub(super) fn signalled(&self) -> bool {
        self.signalled.get().is_some()
    }

    /// True while something is done to the server that may make requests slower.
    pub(super) fn disturbed(&self) -> bool {
        self.disturbed.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// A load under way. Its clients end when they are told to, or when they are refused after the signal.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Log>>,
    start: Instant,
}

impl Running {
    /// The clients' first requests are spread evenly over that time.
    pub(super) fn start(
        clients: usize,
        over: Duration,
        client: impl Fn(usize, &Shared) -> Log + Clone + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let start = Instant::now();
        let threads = (0..clients)
            .map(|number| {
                let (shared, client) = (Arc::clone(&shared), client.clone());
                thread::Builder::new()
                    .stack_size(256 * 1024)
                    .spawn(move || {
                        pause(over.mul_f64(number as f64 / clients as f64));
                        client(number, &shared)
                    })
                    .expect("a thread for each client")
            })
            .collect();
        Self { shared, clients: threads, start }
    }

    /// Says when the server was told to stop: from here on a client that is refused is at its end.
    pub fn signalled(&self, at: Instant) {
        let _ = self.shared.signalled.set(at);
    }

    /// Says that something is done to the server from now on, or no longer: the times of requests that begin then are
    /// counted apart.
    pub fn disturbed(&self, now: bool) {
        self.shared.disturbed.store(now, Ordering::Relaxed);
    }

    /// How many requests were answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Waits until that many more requests are answered: the load is in full swing.
    ///
    /// # Panics
    /// If they aren't within 20 s.
    #[track_caller]
    pub fn flowing(&self, requests: u64) -> &Self {
        let goal = self.answered() + requests;
        let flows = eventually(Duration::from_secs(20), || self.answered() >= goal);
        assert!(flows, "{} of {goal} requests answered after 20 s", self.answered());
        self
    }

    /// True once every client has ended by itself.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.clients.iter().all(JoinHandle::is_finished)
    }

    /// Waits until every client has ended by itself, for so long at most, and counts. Say [`signalled`](Self::signalled)
    /// before, or they won't.
    #[must_use]
    pub fn wait(self, limit: Duration) -> Tally {
        let _ = eventually(limit, || self.ended());
        self.finish()
    }

    /// Tells the clients to end after the request under way, and counts.
    ///
    /// # Panics
    /// If a client did.
    #[must_use]
    pub fn finish(self) -> Tally {
        self.finish_timed().0
    }

    /// The same, and how long the requests took. Of kept connections from the last piece sent to the last byte read, of
    /// fresh ones from the connect on.
    ///
    /// # Panics
    /// If a client did.
    #[must_use]
    pub fn finish_timed(mut self) -> (Tally, Latencies) {
        self.stop();
        let mut tally = Tally::default();
        let mut latencies = Latencies::default();
        let mut failures = Vec::new();
        for client in self.clients.drain(..) {
            let log = client.join().expect("a client doesn't panic");
            tally.add(&log.tally);
            latencies.merge(&log.latencies);
            failures.extend(log.failures);
        }
        failures.sort();
        let (zero, since) = match self.shared.signalled.get() {
            Some(at) => (*at, "the signal"),
            None => (self.start, "the start"),
        };
        tally.failures = failures
            .iter()
            .take(KEPT)
            .map(|(at, text)| format!("{} {since}: {text}", offset(zero, *at)))
            .collect();
        (tally, latencies)
    }

    /// Tells the clients to end after the request under way.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn offset(zero: Instant, at: Instant) -> String {
    let (time, word) = if at >= zero { (at - zero, "after") } else { (zero - at, "before") };
    format!("{:.1} ms {word}", time.as_secs_f64() * 1e3)
}
