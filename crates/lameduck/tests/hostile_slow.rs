//! Clients that are slow: slow heads, slow bodies, slow readers, and those that say nothing at all. Each meets a
//! limit; the others are served, also during the stop.

#![allow(missing_docs, reason = "a test program")]

mod fixture;
mod siege;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Ending, Failure, Look, eventually, pause};

use fixture::{SECOND, asking, fixture, get, metric, serving, with_admin};
use siege::{Attacker, MIB, ROOM, Siege};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// A connection on which `bytes` were sent.
fn sent(addr: SocketAddr, bytes: &[u8]) -> Client {
    let mut client = Client::connect(addr).expect("a connection");
    client.send(bytes).expect("sent");
    client
}

/// Sends `bytes` on each connection every 50 ms until the attack, or every connection, has ended.
fn trickle(attacker: &Attacker, mut clients: Vec<Client>, bytes: &[u8]) {
    while !attacker.is_over() && !clients.is_empty() {
        clients.retain_mut(|client| {
            let _ = client.send(bytes);
            Attacker::has(client)
        });
        attacker.wait(ms(50));
    }
}

#[test]
fn slow_heads_meet_the_header_timeout_and_disturb_nobody() {
    let mut siege = Siege::of(&["header-timeout=1000"]);
    siege.attack(2, 200, |attacker| {
        let head = b"GET / HTTP/1.1\r\nHost: test\r\nX-Slow: ";
        trickle(attacker, attacker.connections(100, head), b"x");
    });
    // hyper's read buffer begins with 8 KiB; the rest is what a connection needs. Those that were told 408 are read on
    // for a second, while the next ones come.
    siege.holds(400 * 32 * 1024);
    // The last of them began when the drain did.
    siege.stop(0).within(2 * SECOND + ms(250)).nothing_stuck();
}

#[test]
fn slow_bodies_are_cut_at_the_drain_deadline_and_disturb_nobody() {
    let mut siege = Siege::of(&[]);
    siege.attack(2, 200, |attacker| {
        let head = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n";
        trickle(attacker, attacker.connections(100, head), b"x");
    });
    siege.holds(200 * 32 * 1024);
    let stopped = siege.stop(75);
    stopped.in_budget();
    assert!(stopped.report["requests"]["interrupted"].as_u64() >= Some(100), "{}", stopped.report);
}

#[test]
fn bodies_that_stop_coming_meet_the_idle_timeout_and_disturb_nobody() {
    let mut siege = Siege::of(&["idle-timeout=500"]);
    siege.attack(2, 200, |attacker| {
        let head = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nabc";
        trickle(attacker, attacker.connections(100, head), b"");
    });
    siege.holds(400 * 32 * 1024);
    siege.stop(0).within(3 * SECOND).nothing_stuck();
}

#[test]
fn an_upload_of_which_nothing_comes_is_told_408_and_one_that_trickles_is_not() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    let head = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 30\r\n\r\n0";
    let mut silent = sent(server.addr(), head);
    let mut slow = sent(server.addr(), head);
    let waiting =
        b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let mut waiting = sent(server.addr(), waiting);
    let began = Instant::now();
    for _ in 0..29 {
        pause(ms(100));
        slow.send(b"x").unwrap();
    }
    assert_eq!(slow.read_response().expect("a whole answer").status, 200);
    for client in [&mut silent, &mut waiting] {
        let response = client.read_response().expect("a whole answer");
        assert_eq!(response.status, 408);
        assert!(response.says_close());
        let took = response.at - began;
        assert!(took + ms(5) > SECOND && took < 3 * SECOND + ROOM, "{took:?}");
        assert_eq!(client.ending(2 * SECOND), Ending::Eof);
    }
}

#[test]
fn a_body_of_single_bytes_takes_no_more_memory_than_its_bytes() {
    // 1. A client sends its body byte by byte, each in a segment of its own.
    // 2. hyper reads each into a new buffer of 8 KiB, since the one before is still held.
    // 3. The handler collects the pieces: 8 KiB for each byte, 16 GB for the 2 MB that axum allows.
    let server = serving(fixture(&["http"]));
    let head = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4000\r\n\r\n";
    let mut client = sent(server.addr(), head);
    let before = server.proc().resident();
    for _ in 0..4_000 {
        client.send(b"x").unwrap();
        pause(Duration::from_micros(200));
    }
    assert_eq!(client.read_response().expect("a whole answer").body.len(), 4_000);
    let grown = server.proc().peak().saturating_sub(before);
    assert!(grown < 4 * MIB, "{} KiB for 4000 bytes", grown / 1024);
}

#[test]
fn slow_readers_meet_the_idle_timeout_and_disturb_nobody() {
    let mut siege = Siege::of(&["idle-timeout=500"]);
    siege.attack(2, 40, |attacker| {
        let pour = b"GET /pour HTTP/1.1\r\nHost: test\r\n\r\n";
        let clients: Vec<Client> = (0..20)
            .filter_map(|_| {
                let mut client = attacker.connect()?;
                let _ = client.socket().set_recv_buffer_size(4096);
                client.send(pour).ok()?;
                Some(client)
            })
            .collect();
        attacker.wait(3 * SECOND);
        drop(clients);
    });
    // hyper holds 400 KiB of a response at most, and the frame that went beyond.
    siege.holds(40 * 512 * 1024);
    let stopped = siege.stop(0);
    stopped.within(3 * SECOND).nothing_stuck();
    assert!(stopped.report["requests"]["completed"].as_u64() > Some(0), "{}", stopped.report);
}

#[test]
fn connections_that_say_nothing_meet_the_idle_timeout_and_disturb_nobody() {
    // Ends of attackers' connections: those after the idle timeout, and those before.
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    static EARLY: AtomicUsize = AtomicUsize::new(0);
    let mut siege = Siege::of(&["idle-timeout=1000"]);
    siege.attack(2, 400, |attacker| {
        let mut clients: Vec<(Client, Instant)> = (0..200)
            .filter_map(|_| {
                let since = Instant::now();
                Some((attacker.connect()?, since))
            })
            .collect();
        while !attacker.is_over() && !clients.is_empty() {
            clients.retain_mut(|(client, since)| match client.look() {
                Look::Open => true,
                Look::Eof => {
                    let ended = if since.elapsed() + ms(5) > SECOND { &ENDED } else { &EARLY };
                    ended.fetch_add(1, Ordering::Relaxed);
                    false
                }
                look @ (Look::Bytes | Look::Reset) => panic!("{look:?} instead of the end"),
            });
            attacker.wait(ms(50));
        }
    });
    siege.holds(400 * 16 * 1024);
    // In the stop the idle grace would end them as well.
    let ended = eventually(8 * SECOND, || ENDED.load(Ordering::Relaxed) >= 400);
    assert!(ended, "{ENDED:?} of 400 connections have ended");
    assert_eq!(EARLY.load(Ordering::Relaxed), 0);
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}

#[test]
fn empty_lines_leave_a_connection_as_idle_as_it_was() {
    let server = serving(fixture(&["header-timeout=500", "idle-timeout=3000", "http"]));
    let mut fresh = sent(server.addr(), b"\r\n");
    let mut used = asking(server.addr(), "/");
    assert_eq!(used.read_response().expect("a whole answer").status, 200);
    used.send(b"\r\n").unwrap();
    // Behind a body, where an old client may well send one (RFC 9112, section 2.2).
    let mut posted =
        sent(server.addr(), b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(posted.read_response().expect("a whole answer").status, 200);
    posted.send(b"\r\n").unwrap();
    pause(2 * SECOND);
    for client in [&mut fresh, &mut used, &mut posted] {
        client.get("/").unwrap();
        assert_eq!(client.read_response().expect("a whole answer").status, 200);
        client.send(b"\r\n\r\n").unwrap();
    }
    let again = Instant::now();
    for client in [&mut fresh, &mut used, &mut posted] {
        assert_eq!(client.ending(8 * SECOND), Ending::Eof, "nothing was asked");
    }
    assert!(again.elapsed() + ms(5) > 3 * SECOND, "{:?}", again.elapsed());

    let mut draining = sent(server.addr(), b"\r\n");
    pause(ms(100));
    let signal = server.signal(lameduck_testkit::Signal::TERM);
    assert_eq!(draining.ending(2 * SECOND), Ending::Eof, "the idle grace, and no 408");
    let exit = server.wait_exit(5 * SECOND);
    assert_eq!(exit.code, Some(0));
    assert!(exit.at - signal < SECOND + ROOM);
}

#[test]
fn a_client_that_resets_during_its_request_is_given_up_within_a_second() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command);
    let gone = |count| {
        let text = get(admin, "/metrics").expect("an answer").text().into_owned();
        metric(&text, "lameduck_requests_total{outcome=\"gone\"}") == Some(count)
    };
    fixture::in_flight(admin, 0);
    let hanging = asking(server.addr(), "/hang");
    let mut quiet = asking(server.addr(), "/quiet");
    quiet.wait_for("first", 5 * SECOND).expect("the response begins");
    fixture::in_flight(admin, 2);
    pause(ms(400));
    hanging.reset();
    quiet.reset();
    let end = Instant::now() + 2 * SECOND + ROOM;
    while !gone(2.0) {
        assert!(Instant::now() < end, "{}", get(admin, "/metrics").expect("an answer").text());
        pause(ms(50));
    }
    fixture::in_flight(admin, 0);
}

#[test]
fn a_client_that_resets_during_its_request_does_not_hold_the_drain() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command);
    let hanging = asking(server.addr(), "/hang");
    fixture::in_flight(admin, 1);
    let signal = server.signal(lameduck_testkit::Signal::TERM);
    pause(ms(300));
    hanging.reset();
    let exit = server.wait_exit(5 * SECOND);
    let report = fixture::ended(&exit, 0, "clean");
    assert_eq!(report["requests"]["gone"], 1, "{report}");
    assert!(exit.at - signal < SECOND + ROOM, "{:?}", exit.at - signal);
}

#[test]
fn a_client_that_only_closed_its_half_is_served_however_long_it_takes() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    let mut client = asking(server.addr(), "/sleep?ms=4000");
    client.half_close();
    assert_eq!(client.read_response().expect("a whole answer").status, 200);
}

#[test]
fn resets_in_the_middle_of_everything_disturb_nobody() {
    let mut siege = Siege::of(&[]);
    siege.attack(2, 300, |attacker| {
        for what in [
            &b"GET /hang HTTP/1.1\r\nHost: test\r\n\r\n"[..],
            b"GET /pour HTTP/1.1\r\nHost: test\r\n\r\n",
            b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nabc",
            b"GET /sl",
            b"GET /sleep?ms=20 HTTP/1.1\r\nHost: test\r\n\r\n",
            b"",
        ] {
            attacker.connections(3, what).into_iter().for_each(Client::reset);
        }
        pause(ms(50));
    });
    // 120 requests a second that hang are each noticed after 1.25 s, and 400 KiB for each of a few that pour.
    siege.holds(150 * 32 * 1024 + 20 * MIB);
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}

#[test]
fn half_closed_connections_are_answered_and_disturb_nobody() {
    static ANSWERED: AtomicUsize = AtomicUsize::new(0);
    let mut siege = Siege::of(&[]);
    siege.attack(2, 400, |attacker| {
        let mut clients =
            attacker.connections(20, b"GET /sleep?ms=50 HTTP/1.1\r\nHost: test\r\n\r\n");
        clients.iter_mut().for_each(Client::half_close);
        for mut client in clients {
            match client.read_response() {
                Ok(response) => {
                    assert_eq!(response.status, 200);
                    ANSWERED.fetch_add(1, Ordering::Relaxed);
                }
                // What the listener had not taken when it closed.
                Err(Failure::Refused(_) | Failure::Unsent) => {}
                Err(failure) => assert!(attacker.is_over(), "{failure}"),
            }
        }
    });
    siege.holds(16 * MIB);
    assert!(ANSWERED.load(Ordering::Relaxed) >= 300, "{ANSWERED:?} answers");
    siege.stop(0).within(SECOND).nothing_stuck();
}
