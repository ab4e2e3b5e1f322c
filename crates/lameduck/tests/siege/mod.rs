//! A server under attack, and the clients that mean well: kept connections, fresh ones and HTTP/2. Kept ones are
//! measured before the attack and during it, in one run. None of them may see an error, also not during the stop.

#![allow(dead_code, reason = "each test program uses a part of it")]

mod attack;
mod good;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, KeepAlive, Look, Running, Server, Signal, eventually, pause};
use serde_json::Value;

use self::attack::Attack;
pub(crate) use self::attack::Attacker;
use self::good::Good;
use crate::fixture::{SECOND, fixture, serving};

pub(crate) const MIB: usize = 1 << 20;

/// How long the clients are measured, and by how many requests at least.
const QUIET: Duration = Duration::from_millis(700);
const DURING: Duration = Duration::from_millis(1_200);
const REQUESTS: usize = 100;

/// In how many spells the clients are measured under attack at most, until so many are good. What else the machine does
/// comes and goes, and only ever adds to a latency; an attack that holds up others does so in each of them.
const SPELLS: usize = 5;
const GOOD: usize = 2;

/// What a quiet server is taken for at least. Its p99 on loopback is below a millisecond, and there a factor of ten
/// would measure the scheduler: with attackers, clients and server on two cores, each waits for the slices, of 3 to
/// 4 ms, of those before it.
const FLOOR: Duration = Duration::from_millis(2);

/// What a busy machine may add to a time that was measured from outside.
pub(crate) const ROOM: Duration = Duration::from_millis(800);

/// One attack at a time. The tests beside them wait more than they work.
static ONE: Mutex<()> = Mutex::new(());

/// A server, its good clients, and later its attackers.
pub(crate) struct Siege {
    pub(crate) server: Server,
    load: Running,
    good: Vec<Good>,
    measured: Vec<Client>,
    quiet: Duration,
    before: usize,
    attacks: Vec<Attack>,
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
        let command = fixture(&[words, &["http"]].concat());
        // Four times the default: a fresh connection whose request a busy machine holds up for longer, just then, is
        // lost by the guarantee's own words.
        Siege::on(|| serving(command.env("LAMEDUCK_IDLE_GRACE", "1s")))
    }

    /// The same with that server.
    pub(crate) fn on(server: impl FnOnce() -> Server) -> Siege {
        Siege::start(server, |addr| vec![Good::fresh(addr), Good::http2(addr)])
    }

    /// The same without fresh connections: where new ones have to wait, those do too.
    pub(crate) fn of_kept(server: impl FnOnce() -> Server) -> Siege {
        Siege::start(server, |addr| vec![Good::http2(addr)])
    }

    fn start(server: impl FnOnce() -> Server, good: impl FnOnce(SocketAddr) -> Vec<Good>) -> Siege {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let server = server();
        let addr = server.addr();
        let load = KeepAlive::new(addr).clients(4).expect("OK").start();
        load.flowing(50);
        let good = good(addr);
        let connect = || Client::connect(addr).expect("the server listens");
        let mut measured: Vec<Client> = (0..2).map(|_| connect()).collect();
        let quiet = p99(&mut measured, addr, QUIET);
        let before = server.proc().resident();
        Siege { server, load, good, measured, quiet, before, attacks: Vec::new(), _one: one }
    }

    /// Begins an attack, on so many threads: each calls `f` again whenever it returns. [`holds`](Self::holds) sees to
    /// it that they open `least` connections.
    pub(crate) fn attack(
        &mut self,
        threads: usize,
        least: usize,
        f: impl Fn(&Attacker) + Copy + Send + 'static,
    ) {
        self.attacks.push(Attack::start(threads, least, self.server.addr(), f));
    }

    /// The good clients, under attack: no error, p99 below ten times the quiet one. The server's memory has grown by
    /// `memory` bytes at most. And there was an attack.
    #[track_caller]
    pub(crate) fn holds(&mut self, memory: usize) {
        let answered = self.answered();
        let limit = 10 * self.quiet.max(FLOOR);
        let good = |during: &[Duration]| during.iter().filter(|p99| **p99 < limit).count();
        let mut during = Vec::new();
        while during.len() < SPELLS && good(&during) < GOOD {
            during.push(p99(&mut self.measured, self.server.addr(), DURING));
        }
        // On a busy machine the attackers are late as well.
        let attacked =
            eventually(10 * SECOND, || self.attacks.iter().all(Attack::is_in_full_swing));
        let attacks: Vec<String> = self.attacks.iter().map(Attack::to_string).collect();
        let attacks = attacks.join(", ");
        let grown = self.server.proc().peak().saturating_sub(self.before);
        println!(
            "p99 quiet {:?}, during {during:?}; memory {} KiB, at most {} more; connections of attackers {attacks}",
            self.quiet,
            self.before / 1024,
            grown / 1024
        );
        assert!(attacked && !self.attacks.is_empty(), "hardly an attack, connections: {attacks}");
        assert!(good(&during) >= GOOD, "p99 {during:?}, quiet {:?}", self.quiet);
        assert!(grown < memory, "{} KiB more than {}", grown / 1024, self.before / 1024);
        for (before, now) in answered.into_iter().zip(self.answered()) {
            assert!(now >= before + 5, "a good client had {} answers", now - before);
        }
    }

    /// How many requests were answered of each kind of good client.
    fn answered(&self) -> Vec<u64> {
        let kept = self.load.answered();
        std::iter::once(kept).chain(self.good.iter().map(Good::answered)).collect()
    }

    /// SIGTERM while the attack goes on: no good client loses a request.
    #[track_caller]
    pub(crate) fn stop(self, code: i32) -> Stopped {
        drop(self.measured);
        self.good.iter().for_each(Good::signalled);
        let signal = self.server.signal(Signal::TERM);
        self.load.signalled(signal);
        let exit = self.server.wait_exit(15 * SECOND);
        self.attacks.into_iter().for_each(Attack::end);
        let tally = self.load.wait(10 * SECOND);
        assert_eq!(tally.failed() + tally.turned_away, 0, "{tally}\n{}", self.server.transcript());
        for good in self.good {
            let failures = good.failures(10 * SECOND);
            assert!(failures.is_empty(), "{failures:#?}\n{}", self.server.transcript());
        }
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
