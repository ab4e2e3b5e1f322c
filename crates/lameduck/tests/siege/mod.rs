//! A server under attack, and the clients that mean well: they are measured before the attack and during it, in one
//! run, and during the stop none of them may lose a request.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, KeepAlive, Look, Running, Server, Signal, pause};
use serde_json::Value;

use crate::fixture::{SECOND, fixture, serving};

pub(crate) const MIB: usize = 1 << 20;

/// How long the clients are measured, and by how many requests at least.
const QUIET: Duration = Duration::from_millis(700);
const DURING: Duration = Duration::from_millis(1_200);
const REQUESTS: usize = 100;

/// In how many spells the clients are measured under attack, until one is good. What else the machine does comes and
/// goes, and only ever adds to a latency; an attack that holds up others does so in each of them.
const SPELLS: usize = 4;

/// What a quiet server is taken for at least. Its p99 on loopback is below a millisecond, and there a factor of ten
/// would measure the scheduler: with attackers, clients and server on two cores, each waits for the slices, of 3 to
/// 4 ms, of those before it.
const FLOOR: Duration = Duration::from_millis(5);

/// What a busy machine may add to a time that was measured from outside.
pub(crate) const ROOM: Duration = Duration::from_millis(800);

/// One attack at a time. The tests beside them wait more than they work.
static ONE: Mutex<()> = Mutex::new(());

/// Threads that attack until they are told to stop.
struct Attack {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Whether the attack is over.
#[derive(Clone)]
pub(crate) struct Over(Arc<AtomicBool>);

impl Over {
    /// For an attacker that ends by itself.
    pub(crate) fn never() -> Over {
        Over(Arc::new(AtomicBool::new(false)))
    }

    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits for the attack's end, or that long.
    pub(crate) fn wait(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is() && Instant::now() < end {
            pause(Duration::from_millis(10));
        }
    }
}

impl Attack {
    fn start(
        threads: usize,
        addr: SocketAddr,
        f: impl Fn(SocketAddr, &Over) + Copy + Send + 'static,
    ) -> Attack {
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..threads)
            .map(|_| {
                let over = Over(Arc::clone(&over));
                thread::spawn(move || {
                    // An attacker whose connection was ended comes again.
                    while !over.is() {
                        f(addr, &over);
                        pause(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        Attack { over, threads }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A server, its good clients, and later its attackers.
pub(crate) struct Siege {
    pub(crate) server: Server,
    load: Running,
    measured: Vec<Client>,
    quiet: Duration,
    before: usize,
    attack: Option<Attack>,
    _one: MutexGuard<'static, ()>,
}

/// How the stop went.
pub(crate) struct Stopped {
    pub(crate) report: Value,
    pub(crate) took: Duration,
}

impl Siege {
    /// The fixture with these words before `http`, and good clients, measured in peace.
    pub(crate) fn of(words: &[&str]) -> Siege {
        Siege::on(|| serving(fixture(&[words, &["http"]].concat())))
    }

    pub(crate) fn on(server: impl FnOnce() -> Server) -> Siege {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let server = server();
        let load = KeepAlive::new(server.addr()).clients(4).expect("OK").start();
        load.flowing(50);
        let connect = || Client::connect(server.addr()).expect("the server listens");
        let mut measured: Vec<Client> = (0..2).map(|_| connect()).collect();
        let quiet = p99(&mut measured, server.addr(), QUIET);
        let before = server.proc().resident();
        Siege { server, load, measured, quiet, before, attack: None, _one: one }
    }

    /// Begins the attack, on so many threads: each calls `f` again whenever it returns.
    pub(crate) fn attack(
        &mut self,
        threads: usize,
        f: impl Fn(SocketAddr, &Over) + Copy + Send + 'static,
    ) {
        self.attack = Some(Attack::start(threads, self.server.addr(), f));
    }

    /// The good clients, under attack: no error, p99 below ten times the quiet one. The server's memory has grown by
    /// `memory` bytes at most.
    #[track_caller]
    pub(crate) fn holds(&mut self, memory: usize) {
        let limit = 10 * self.quiet.max(FLOOR);
        let mut during = Vec::new();
        while during.len() < SPELLS && during.last().is_none_or(|last| *last >= limit) {
            during.push(p99(&mut self.measured, self.server.addr(), DURING));
        }
        let grown = self.server.proc().peak().saturating_sub(self.before);
        println!(
            "p99 quiet {:?}, during {during:?}; memory {} KiB, at most {} more",
            self.quiet,
            self.before / 1024,
            grown / 1024
        );
        assert!(during.last() < Some(&limit), "p99 {during:?}, quiet {:?}", self.quiet);
        assert!(grown < memory, "{} KiB more than {}", grown / 1024, self.before / 1024);
    }

    /// SIGTERM while the attack goes on: no good client loses a request.
    #[track_caller]
    pub(crate) fn stop(self, code: i32) -> Stopped {
        drop(self.measured);
        let signal = self.server.signal(Signal::TERM);
        self.load.signalled(signal);
        let exit = self.server.wait_exit(15 * SECOND);
        drop(self.attack);
        let tally = self.load.wait(10 * SECOND);
        assert_eq!(tally.failed(), 0, "{tally}\n{}", self.server.transcript());
        let report = exit.report();
        assert_eq!(exit.code, Some(code), "{}", self.server.transcript());
        assert_eq!(report["exit_code"], code, "{report}");
        let took = exit.at - signal;
        println!("stopped in {took:?}: {report}");
        Stopped { report, took }
    }
}

impl Stopped {
    /// The process ended within its budget and 200 ms: 3 s of drain, half a second each to finish and to close.
    #[track_caller]
    pub(crate) fn in_budget(&self) -> &Stopped {
        self.within(4 * SECOND + Duration::from_millis(200))
    }

    #[track_caller]
    pub(crate) fn within(&self, time: Duration) -> &Stopped {
        assert!(self.took < time + ROOM, "{:?}: {}", self.took, self.report);
        self
    }

    /// Nothing was stuck.
    #[track_caller]
    pub(crate) fn nothing_stuck(&self) -> &Stopped {
        assert_eq!(self.report["stuck"], Value::Array(Vec::new()), "{}", self.report);
        self
    }
}

/// The p99 of clients that ask for `/` every few milliseconds, each on its connection; every answer must be whole.
#[track_caller]
fn p99(clients: &mut [Client], addr: SocketAddr, time: Duration) -> Duration {
    let mut all: Vec<Duration> = thread::scope(|scope| {
        let all: Vec<_> = clients
            .iter_mut()
            .map(|client| scope.spawn(move || latencies(client, addr, time)))
            .collect();
        all.into_iter().flat_map(|one| one.join().expect("every request is answered")).collect()
    });
    all.sort_unstable();
    all[(all.len() - 1) * 99 / 100]
}

fn latencies(client: &mut Client, addr: SocketAddr, time: Duration) -> Vec<Duration> {
    if client.look() == Look::Eof {
        // It was idle for too long, on a server that does not wait long.
        *client = Client::connect(addr).expect("the server listens");
    }
    let end = Instant::now() + time;
    let mut all = Vec::new();
    while Instant::now() < end || all.len() < REQUESTS / 2 {
        let began = Instant::now();
        client.get("/").expect("sent");
        let response = client.read_response().unwrap_or_else(|failure| {
            panic!("a good client lost a request after {:?}: {failure}", began.elapsed())
        });
        assert_eq!(response.status, 200);
        all.push(response.at - began);
        pause(Duration::from_millis(3));
    }
    all
}
