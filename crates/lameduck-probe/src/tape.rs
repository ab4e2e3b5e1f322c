//! What records a case while it runs: a clock, a count of connections, and the record itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::outcome::Outcome;
use crate::record::{Exchange, Fact, Micros, Process, Record, Role, Silence};

/// Shared by all that takes part in one run of a case.
#[derive(Debug, Clone)]
pub struct Tape {
    zero: Instant,
    connections: Arc<AtomicU32>,
    record: Arc<Mutex<Record>>,
    signalled: Arc<OnceLock<Instant>>,
}

impl Tape {
    /// Starts at zero, now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            zero: Instant::now(),
            connections: Arc::default(),
            record: Arc::default(),
            signalled: Arc::default(),
        }
    }

    /// The time on it.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.at(Instant::now())
    }

    /// The time on it at that instant; 0 for those before its start.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Micros {
        let since = instant.saturating_duration_since(self.zero);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// The number of the next connection.
    pub(crate) fn connection(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that the first signal goes out now.
    pub(crate) fn signal(&self) {
        self.signalled.get_or_init(Instant::now);
    }

    /// When the first signal went out.
    pub(crate) fn signalled(&self) -> Option<Instant> {
        self.signalled.get().copied()
    }

    /// Keeps it. Of a load only what the stop could touch or what failed is kept: the rest is no news, and there may be
    /// tens of thousands of them.
    pub(crate) fn exchange(&self, exchange: Exchange) {
        let is_news = exchange.role != Role::Load
            || exchange.outcome != Outcome::Answered
            || self.signalled().is_some();
        if !is_news {
            return;
        }
        self.lock().exchanges.push(exchange);
    }

    pub(crate) fn silence(&self, silence: Silence) {
        self.lock().silences.push(silence);
    }

    pub(crate) fn fact(&self, fact: Fact) {
        self.lock().facts.push(fact);
    }

    pub(crate) fn process(&self, process: Process) {
        self.lock().processes.push(process);
    }

    /// Everything so far.
    #[must_use]
    pub fn record(&self) -> Record {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
