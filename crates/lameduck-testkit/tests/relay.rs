//! A relay is a wire: everything arrives, in order, one delay later, its end included.

#![allow(missing_docs, reason = "a test program")]

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Ending, Failure, KeepAlive, Relay, eventually, free_port};

#[allow(dead_code, reason = "each test program uses some of it")]
mod common;
use common::{answers_ok, read_head, reset, serve};

const DELAY: Duration = Duration::from_millis(20);
/// How long anything may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(10);
/// How often each time is measured.
const TIMES: usize = 8;

/// None of them comes early, and a quarter of them not a second delay late. How much later a thread runs is the machine's
/// affair.
#[track_caller]
fn assert_take(mut times: Vec<Duration>, expected: Duration) {
    times.sort();
    println!("{times:?}");
    let (first, quarter) = (times[0], times[times.len() / 4]);
    assert!(first >= expected && quarter < expected + DELAY, "{times:?} instead of {expected:?}");
}

#[test]
fn a_round_trip_takes_two_delays() {
    let relay = Relay::start(answers_ok(), DELAY);
    let mut client = Client::connect(relay.addr()).unwrap();
    let round_trip = |_| {
        let start = Instant::now();
        client.get("/").unwrap();
        let response = client.read_response().unwrap();
        assert_eq!(response.text(), "OK");
        response.at - start
    };
    assert_take((0..TIMES).map(round_trip).collect(), 2 * DELAY);
}

#[test]
fn an_end_of_stream_arrives_one_delay_later() {
    let (closed, at) = mpsc::channel();
    let relay = Relay::start(
        serve(move |mut stream| {
            read_head(&mut stream);
            // Before, or what this thread is held up by would be missing of the delay.
            let _ = closed.send(Instant::now());
            drop(stream);
        }),
        DELAY,
    );
    let end = |_| {
        let mut client = Client::connect(relay.addr()).unwrap();
        client.get("/").unwrap();
        assert_eq!(client.ending(LIMIT), Ending::Eof);
        at.recv().unwrap().elapsed()
    };
    assert_take((0..TIMES).map(end).collect(), DELAY);
}

#[test]
fn a_reset_passes_in_both_directions_one_delay_later() {
    let (from_server, at) = mpsc::channel();
    let relay = Relay::start(
        serve(move |mut stream| {
            read_head(&mut stream);
            let _ = from_server.send(Instant::now());
            reset(stream);
        }),
        DELAY,
    );
    let end = |_| {
        let mut client = Client::connect(relay.addr()).unwrap();
        client.get("/").unwrap();
        assert_eq!(client.read_response().unwrap_err(), Failure::Reset);
        at.recv().unwrap().elapsed()
    };
    assert_take((0..TIMES).map(end).collect(), DELAY);

    let (seen, at) = mpsc::channel();
    let relay = Relay::start(
        serve(move |mut stream| {
            let end = stream.read(&mut [0; 16]);
            let _ = seen.send((Instant::now(), end.map_err(|error| error.kind())));
        }),
        DELAY,
    );
    let end = |_| {
        let client = Client::connect(relay.addr()).unwrap();
        let start = Instant::now();
        client.reset();
        let (time, end) = at.recv().unwrap();
        assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
        time - start
    };
    assert_take((0..TIMES).map(end).collect(), DELAY);
}

#[test]
fn one_half_may_close_before_the_other() {
    let relay = Relay::start(
        serve(|mut stream| {
            let mut body = Vec::new();
            let _ = stream.read_to_end(&mut body);
            let _ =
                stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{} bytes", body.len()).as_bytes());
        }),
        DELAY,
    );
    let mut client = Client::connect(relay.addr()).unwrap();
    client.send(&vec![b'x'; 9 << 20]).unwrap();
    client.half_close();
    assert_eq!(client.read_response().unwrap().text(), "9437184 bytes");
    assert!(eventually(LIMIT, || relay.connections() == 0), "a connection that ended is forgotten");
}

#[test]
fn a_refusal_behind_the_relay_is_a_refusal() {
    let relay = Relay::start(([127, 0, 0, 1], free_port()).into(), DELAY);
    let mut client = Client::connect(relay.addr()).unwrap();
    client.get("/").unwrap();
    let failure = client.read_response().unwrap_err();
    assert!(matches!(failure, Failure::Refused(_)), "{failure}");
}

#[test]
fn a_hundred_connections_keep_the_delay() {
    let relay = Relay::start(answers_ok(), DELAY);
    let load = KeepAlive::new(relay.addr())
        .clients(100)
        .think(Duration::from_millis(10))
        .expect("OK")
        .start();
    let mut client = Client::connect(relay.addr()).unwrap();
    let times: Vec<Duration> = (0..20)
        .map(|_| {
            let start = Instant::now();
            client.get("/").unwrap();
            client.read_response().unwrap().at - start
        })
        .collect();
    let tally = load.finish();
    assert_eq!((tally.failed(), tally.refused, tally.reconnects), (0, 0, 0), "{tally}");
    println!("{tally}");
    assert_take(times, 2 * DELAY);
}

#[test]
fn dropping_it_ends_its_connections() {
    let relay = Relay::start(answers_ok(), DELAY);
    let mut client = Client::connect(relay.addr()).unwrap();
    assert!(eventually(LIMIT, || relay.connections() == 1));
    drop(relay);
    assert_ne!(client.ending(LIMIT), Ending::Open);
}
