//! Threads that attack, and what they did.

use std::fmt;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Look, pause};

/// What one who attacks knows: whom, and whether to go on. The connections that it opens are counted.
#[derive(Clone)]
pub(crate) struct Attacker {
    addr: SocketAddr,
    over: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
}

impl Attacker {
    /// One that ends by itself.
    pub(crate) fn alone(addr: SocketAddr) -> Attacker {
        Attacker { addr, over: Arc::default(), opened: Arc::default() }
    }

    /// A connection; none once the server no longer listens, or while it takes no more.
    pub(crate) fn connect(&self) -> Option<Client> {
        let client = Client::connect(self.addr).ok()?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Some(client)
    }

    /// The same, but over TLS nothing is said on it yet.
    pub(crate) fn connect_silent(&self) -> Option<Client> {
        let client = Client::connect_silent(self.addr, &["http/1.1"]).ok()?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Some(client)
    }

    /// That many, with `bytes` sent on each.
    pub(crate) fn connections(&self, count: usize, bytes: &[u8]) -> Vec<Client> {
        (0..count)
            .filter_map(|_| {
                let mut client = self.connect()?;
                client.send(bytes).ok()?;
                Some(client)
            })
            .collect()
    }

    /// Whether the server has not ended the connection. Takes what it said.
    pub(crate) fn has(client: &mut Client) -> bool {
        match client.look() {
            Look::Open => true,
            Look::Bytes => {
                let _ = client.read_some(Duration::from_millis(1));
                true
            }
            Look::Eof | Look::Reset => false,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Tells it to end.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Waits for the attack's end, or that long.
    pub(crate) fn wait(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_over() && Instant::now() < end {
            pause(Duration::from_millis(10));
        }
    }
}

/// Threads that attack until they are told to stop.
pub(super) struct Attack {
    attacker: Attacker,
    threads: Vec<JoinHandle<()>>,
    /// How many connections make an attack of it.
    least: usize,
}

impl Attack {
    pub(super) fn start(
        threads: usize,
        least: usize,
        addr: SocketAddr,
        f: impl Fn(&Attacker) + Copy + Send + 'static,
    ) -> Attack {
        let attacker = Attacker::alone(addr);
        let threads = (0..threads)
            .map(|_| {
                let attacker = attacker.clone();
                thread::spawn(move || {
                    // An attacker whose connection was ended comes again.
                    while !attacker.is_over() {
                        f(&attacker);
                        pause(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        Attack { attacker, threads, least }
    }

    /// Whether it has opened as many connections as make an attack.
    pub(super) fn is_in_full_swing(&self) -> bool {
        self.attacker.opened.load(Ordering::Relaxed) >= self.least
    }

    /// Ends it. Where an attacker saw what may not be, the test fails as it did.
    pub(super) fn end(mut self) {
        self.attacker.end();
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.attacker.opened.load(Ordering::Relaxed), self.least)
    }
}

impl Drop for Attack {
    /// Of a test that has failed already, or of an attack that has ended.
    fn drop(&mut self) {
        self.attacker.end();
        for thread in self.threads.drain(..) {
            let joined = thread.join();
            assert!(joined.is_ok() || thread::panicking(), "an attacker panicked");
        }
    }
}
