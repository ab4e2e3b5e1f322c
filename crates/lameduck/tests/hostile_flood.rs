//! More connections than the service takes, and than it has descriptors for: those that it has are served, the others
//! wait, and a stop loses none that asked for something. And clients that went away without a word.

#![allow(missing_docs, reason = "a test program")]

mod fixture;
mod siege;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Link, Signal, in_ci, pause, within};

use fixture::{SECOND, fixture, get, serving};
use siege::{Attacker, MIB, ROOM, Siege};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Holds so many connections, and opens another for each that ends.
fn hold(attacker: &Attacker, count: usize) {
    let mut held: Vec<Client> = Vec::new();
    while !attacker.is_over() {
        while held.len() < count {
            let Some(client) = attacker.connect() else { break };
            held.push(client);
        }
        held.retain_mut(Attacker::has);
        attacker.wait(ms(20));
    }
}

#[test]
fn a_flood_over_the_limit_of_connections_waits_and_those_that_are_in_are_served() {
    let mut siege = Siege::of_kept(|| serving(fixture(&["max-connections=30", "http"])));
    siege.attack(2, 600, |attacker| hold(attacker, 300));
    siege.holds(4 * MIB);
    let sockets = siege.server.proc().sockets();
    assert!((30..60).contains(&sockets), "{sockets} sockets");
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}

#[test]
fn a_flood_over_the_limit_of_descriptors_is_warned_of_once_and_those_that_are_in_are_served() {
    // The drain has to be long enough for those that wait: 600 silent ones, some 50 at a time, each for its idle grace.
    let command = fixture(&["http"]).descriptors(64).env("LAMEDUCK_DRAIN", "15s");
    let mut siege = Siege::of_kept(|| serving(command));
    let before = siege.server.proc().processor_time();
    let began = Instant::now();
    pause(SECOND);
    let quiet = (siege.server.proc().processor_time() - before).div_duration_f64(began.elapsed());
    siege.attack(2, 600, |attacker| hold(attacker, 300));
    siege.server.wait_for_stderr("cannot accept more connections for now", 5 * SECOND);
    let before = siege.server.proc().processor_time();
    let began = Instant::now();
    siege.holds(4 * MIB);
    let used = (siege.server.proc().processor_time() - before).div_duration_f64(began.elapsed());
    println!("of a processor: quiet {quiet:.2}, during {used:.2}");
    // Of a processor: what the good clients cost, theirs who are measured too, and no loop beside that.
    assert!(used < 2.0 * quiet + 0.3, "{used:.2} of a processor, {quiet:.2} in peace");
    assert_eq!(siege.server.stderr().matches("cannot accept more connections").count(), 1);
    siege.stop(0).within(6 * SECOND).nothing_stuck();
}

#[test]
fn a_client_that_closed_without_waiting_is_given_up_once_its_kernel_says_so() {
    // 1. A client asks and closes. To the server that is the same as a client that closed its half and waits.
    // 2. Its kernel keeps the connection for a while (tcp_fin_timeout, a minute unless told otherwise), and then
    //    answers the next keepalive with a reset.
    let link = match Link::new(ms(1)) {
        Ok(link) => link,
        Err(why) if !in_ci() => return println!("skipped: {why}"),
        Err(why) => panic!("{why}"),
    };
    let addr = SocketAddr::from((link.server.v4, 8080));
    let command = fixture(&[&format!("http={addr}")]).addr(addr).netns(&link.server.netns);
    let server = command.start();
    server.ready();
    within(&link.client.netns, || {
        std::fs::write("/proc/sys/net/ipv4/tcp_fin_timeout", "2")
            .expect("a setting of the namespace");
        let mut waits = Client::connect(addr).expect("a connection").limit(30 * SECOND);
        waits.get("/sleep?ms=22000").expect("sent");
        waits.half_close();
        let mut gone = Client::connect(addr).expect("a connection");
        gone.get("/hang").expect("sent");
        pause(ms(300));
        drop(gone);
        assert_eq!(waits.read_response().expect("it was there all the time").status, 200);
        assert_eq!(get(addr, "/").expect("an answer").status, 200);
    });
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(5 * SECOND);
    let report = fixture::ended(&exit, 0, "clean");
    assert!(exit.at - signal < SECOND + ROOM, "{report}");
}
