//! Clients whose HTTP/1 is wrong, or too much: each is told so by a status, where HTTP has one, and its connection
//! closes behind that. What comes after it is never taken for a request.

#![allow(missing_docs, reason = "a test program")]

mod fixture;
mod siege;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Ending, Failure, Response, Server, Signal, pause};

use fixture::{SECOND, fixture, get, metric, serving, with_admin};
use siege::{MIB, ROOM, Siege};

/// What a client smuggles behind a request that is wrong.
const SMUGGLED: &str = "GET /stop HTTP/1.1\r\nHost: test\r\n\r\n";

fn start() -> (Server, SocketAddr) {
    let (command, admin) = with_admin(fixture(&["header-timeout=2000", "http"]));
    (serving(command), admin)
}

/// Sends the bytes and reads the one answer and the end behind it.
#[track_caller]
fn told(addr: SocketAddr, bytes: &[u8]) -> Response {
    let mut client = Client::connect(addr).expect("the server listens");
    client.send(bytes).expect("sent");
    let method = if bytes.starts_with(b"HEAD") { "HEAD" } else { "GET" };
    let response = client.read_response_to(method).unwrap_or_else(|failure: Failure| {
        panic!("{:?}: {failure}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
    });
    assert_eq!(client.ending(3 * SECOND), Ending::Eof, "behind {response:?}");
    response
}

fn total(admin: SocketAddr, outcome: &str) -> f64 {
    let text = get(admin, "/metrics").expect("an answer").text().into_owned();
    let name = format!("lameduck_requests_total{{outcome=\"{outcome}\"}}");
    metric(&text, &name).unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Nothing is left in flight, and none of what was refused counts as lost.
#[track_caller]
fn nothing_lost(server: &Server, admin: SocketAddr) {
    fixture::in_flight(admin, 0);
    for outcome in ["cut", "gone", "interrupted", "answered_503"] {
        assert_eq!(total(admin, outcome), 0.0, "{outcome}");
    }
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(5 * SECOND);
    fixture::ended(&exit, 0, "clean");
    assert!(exit.at - signal < 2 * SECOND + ROOM);
}

#[test]
fn heads_that_are_wrong_are_told_400_and_nothing_behind_them_is_a_request() {
    let (server, admin) = start();
    for head in [
        // Lengths that contradict each other, or are none.
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5, 6\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: +5\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 0x5\r\n\r\nabcde",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n\r\n",
        // Codings that do not end the body.
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        // Shapes by which one side of a proxy sees another request than the other.
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\nX-Zero: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\nX-Return: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\nno colon here\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\n: no name\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: test\r\nX\x01Y: a\r\n\r\n",
        // Lines that are none.
        "GET /\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: test\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: test\r\n\r\n",
        "GET / HTTP/1.1 extra\r\nHost: test\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: test\r\n\r\n",
        "G\x01T / HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: test\r\n\r\n",
        "{\"json\": 1}\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
    ] {
        let response = told(server.addr(), format!("{head}{SMUGGLED}").as_bytes());
        assert_eq!(response.status, 400, "{head:?}");
    }
    assert!(server.runs());
    nothing_lost(&server, admin);
}

#[test]
fn heads_that_are_too_much_are_told_431_or_414_although_the_client_goes_on_sending() {
    let (server, admin) = start();
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: test\r\n{many}\r\n{SMUGGLED}");
    assert_eq!(told(server.addr(), many.as_bytes()).status, 431, "more than 100 lines");
    let long = format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n{SMUGGLED}", "x".repeat(70_000));
    assert_eq!(told(server.addr(), long.as_bytes()).status, 414, "a path of 70 KB");
    for head in ["GET / HTTP/1.1\r\nHost: test\r\nX-Huge: ", "GET /", "", "X"] {
        let huge = [head.as_bytes(), &vec![b'y'; 3 * MIB]].concat();
        let response = told(server.addr(), &huge);
        assert_eq!(response.status, 431, "{head:?} and 3 MB");
    }
    nothing_lost(&server, admin);
}

#[test]
fn a_method_that_nobody_knows_is_the_services_own_business() {
    let (server, admin) = start();
    let head =
        format!("{} /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "X".repeat(5_000));
    assert_eq!(told(server.addr(), head.as_bytes()).status, 405);
    nothing_lost(&server, admin);
}

#[test]
fn chunks_that_are_wrong_end_the_request_and_nothing_behind_them_is_another() {
    let (server, admin) = start();
    for body in [
        "xyz\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nabc",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabc0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let head = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let response = told(server.addr(), format!("{head}{body}{SMUGGLED}").as_bytes());
        assert_eq!(response.status, 400, "{body:?}");
    }
    assert!(server.runs());
    nothing_lost(&server, admin);
}

#[test]
fn with_both_lengths_the_chunks_count_and_nothing_in_them_or_behind_them_is_a_request() {
    let (server, admin) = start();
    let before = total(admin, "completed");
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ] {
        let size = format!("{:x}", SMUGGLED.len());
        let head = format!("POST /echo HTTP/1.1\r\nHost: test\r\n{lengths}\r\n\r\n");
        let chunks = format!("{size}\r\n{SMUGGLED}\r\n0\r\n\r\n");
        // One in the body, one behind it: a proxy that counts by the length sees them elsewhere (RFC 9112, section 6.3).
        let response = told(server.addr(), format!("{head}{chunks}{SMUGGLED}").as_bytes());
        assert_eq!((response.status, &*response.body), (200, SMUGGLED.as_bytes()), "{lengths}");
        assert!(response.says_close(), "{lengths}: {response:?}");
    }
    assert_eq!(total(admin, "completed") - before, 2.0, "requests");
    assert_eq!(get(server.addr(), "/phase").expect("an answer").text(), "ready");
    nothing_lost(&server, admin);
}

#[test]
fn a_head_that_is_refused_during_the_drain_is_told_so_and_holds_nothing() {
    let (server, _) = start();
    let mut clients: Vec<(Client, u16)> = Vec::new();
    for (half, status) in [("GET / HTTP/1.1\r\nX: a\0", 400), ("GET / HTTP/1.1\r\nX: ", 431)] {
        let mut client = Client::connect(server.addr()).expect("the server listens");
        client.send(&half.as_bytes()[..10]).expect("sent");
        clients.push((client, status));
        clients.last_mut().expect("one").0.send(b"").expect("nothing");
    }
    pause(Duration::from_millis(100));
    let signal = server.signal(Signal::TERM);
    pause(Duration::from_millis(400));
    clients[0].0.send(b"1.1\r\nX: a\0b\r\n\r\n").expect("sent");
    let huge = vec![b'y'; MIB];
    clients[1].0.send(b"1.1\r\nX: ").expect("sent");
    clients[1].0.send(&huge).expect("sent");
    for (client, status) in &mut clients {
        assert_eq!(client.read_response().expect("a whole answer").status, *status);
        assert_eq!(client.ending(3 * SECOND), Ending::Eof);
    }
    drop(clients);
    let exit = server.wait_exit(5 * SECOND);
    fixture::ended(&exit, 0, "clean");
    assert!(exit.at - signal < 2 * SECOND + ROOM, "{:?}", exit.at - signal);
}

#[test]
fn a_head_that_was_refused_just_before_the_deadline_is_not_in_flight() {
    // 1. A head is refused 431; its client goes on sending, so the connection lingers.
    // 2. The drain deadline comes meanwhile: no request was abandoned, but a connection was still there.
    let command = fixture(&["http"]).env("LAMEDUCK_DRAIN", "900ms");
    let server = serving(command);
    let mut client = Client::connect(server.addr()).expect("the server listens");
    client.send(b"GET / HTTP/1.1\r\nX: ").expect("sent");
    pause(Duration::from_millis(100));
    let signal = server.signal(Signal::TERM);
    pause(Duration::from_millis(500));
    client.send(&vec![b'y'; MIB]).expect("sent");
    while signal.elapsed() < Duration::from_millis(1_300) {
        let _ = client.send(b"yyyy");
        pause(Duration::from_millis(20));
    }
    assert_eq!(client.read_response().expect("a whole answer").status, 431);
    let exit = server.wait_exit(5 * SECOND);
    let report = fixture::ended(&exit, 75, "forced");
    let stuck = report["stuck"].as_array().expect("a list of what was stuck");
    assert_eq!(stuck.len(), 1, "{report}");
    assert_eq!(stuck[0]["doing"], "closing 1 connections without a request", "{report}");
    assert!(exit.at - signal < Duration::from_millis(900 + 250) + ROOM, "{:?}", exit.at - signal);
    assert_eq!(report["requests"]["cut"], 0, "{report}");
    assert_eq!(report["connections"]["cut"], 0, "{report}");
}

#[test]
fn enormous_heads_meet_431_and_disturb_nobody() {
    let mut siege = Siege::of(&["header-timeout=1000"]);
    siege.attack(2, 8, |attacker| {
        // Each stays below what is refused, so that it is held for as long as it may.
        let piece = vec![b'y'; 400 * 1024];
        let mut clients = attacker.connections(4, b"GET / HTTP/1.1\r\nX: ");
        for client in &mut clients {
            let _ = client.send(&piece);
        }
        attacker.wait(Duration::from_millis(800));
        for client in &mut clients {
            let _ = client.send(&piece);
        }
        attacker.wait(Duration::from_millis(200));
    });
    // hyper's limit for a head is 408 KiB, in a buffer that grows by doubling.
    siege.holds(20 * MIB);
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}

#[test]
fn requests_that_are_wrong_disturb_nobody() {
    static ANSWERED: AtomicUsize = AtomicUsize::new(0);
    let mut siege = Siege::of(&[]);
    siege.attack(2, 400, |attacker| {
        let began = Instant::now();
        for (wrong, status) in [
            ("\0\r\n\r\n", 400),
            ("GET / HTTP/7\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
            // It is no error, but the connection ends behind it.
            (
                "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                200,
            ),
        ] {
            let Some(mut client) = attacker.connect() else { return };
            let _ = client.send(format!("{wrong}{SMUGGLED}").as_bytes());
            match client.read_response() {
                Ok(response) => {
                    assert_eq!(response.status, status, "{wrong:?}");
                    ANSWERED.fetch_add(1, Ordering::Relaxed);
                }
                // What the listener had not taken when it closed.
                Err(Failure::Unsent) => {}
                Err(failure) => panic!("{wrong:?}: {failure}"),
            }
        }
        pause(Duration::from_millis(10).saturating_sub(began.elapsed()));
    });
    siege.holds(8 * MIB);
    assert!(ANSWERED.load(Ordering::Relaxed) >= 300, "{ANSWERED:?} answers");
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}
