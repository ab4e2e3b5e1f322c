//! What a restart does not pass on is drained by the predecessor, told in its own protocol, and comes back to the
//! successor: HTTP/2, WebSockets, TLS.

#![allow(missing_docs, reason = "a test program")]

mod target;

use lameduck_testkit::{Client, Ending, Server, Signal, pause};
use serde_json::Value;
use target::frames::{GOAWAY, HEADERS, MAX_STREAM, Next, RST_STREAM, RawHttp2};
use target::websocket::{CLOSE, GOING_AWAY, TEXT, receive, send, told_to_go, websocket};
use target::{SECOND, answered, certificate, clean, idle, ms, start, target as command};

/// Waits until the successor accepts.
fn restart(server: &Server) {
    server.signal(Signal::USR2);
    server.wait_for_stderr("serving, in the place of the predecessor", 20 * SECOND);
}

/// The report of the predecessor, which ends in order. It has passed on so many connections.
#[track_caller]
fn handed_over(server: &Server, passed_on: u32) -> Value {
    let report = clean(server);
    assert_eq!(report["cause"]["kind"], "restart", "{report}");
    assert_eq!(report["connections"]["passed_on"], passed_on, "{report}");
    report
}

#[test]
fn http2_is_told_by_two_goaways_and_its_streams_end() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/sleep?ms=900");
    http2.get(3, "/stream?chunks=8&ms=100");
    pause(ms(100));
    restart(&server);
    // Others are served by the successor meanwhile.
    drop(idle(&server));
    assert_eq!(http2.end(10 * SECOND), Next::Eof);
    let seen = http2.seen();
    let goaways: Vec<u32> =
        seen.iter().filter(|frame| frame.kind == GOAWAY).map(|frame| frame.last_stream()).collect();
    assert_eq!(goaways, [MAX_STREAM, 3]);
    for stream in [1, 3] {
        assert!(seen.iter().any(|frame| frame.kind == HEADERS && frame.stream == stream));
        assert!(seen.iter().any(|frame| frame.ends_stream(stream)), "{stream}");
    }
    assert!(!seen.iter().any(|frame| frame.kind == RST_STREAM));
    assert_eq!(handed_over(&server, 0)["requests"]["completed"], 2);
    drop(idle(&server));
}

#[test]
fn a_websocket_is_told_close_1001_at_the_commit_and_comes_back_to_the_successor() {
    let server = start(command());
    let mut client = websocket(&server);
    restart(&server);
    told_to_go(&mut client);
    send(&mut client, CLOSE, &GOING_AWAY);
    assert_eq!(client.ending(2 * SECOND), Ending::Eof);
    assert_eq!(handed_over(&server, 0)["connections"]["upgraded"], 1);
    let mut again = websocket(&server);
    send(&mut again, TEXT, b"hello");
    assert_eq!(receive(&mut again), (TEXT, b"hello".to_vec()));
}

#[test]
fn over_tls_what_is_in_flight_is_answered_and_what_is_idle_ends_in_order() {
    let (certificate, key) = (certificate().certificate(), certificate().key());
    let server = start(command().env("TLS_CERT", certificate).env("TLS_KEY", key));
    let [mut busy, mut idle] = [(), ()].map(|()| Client::connect_tls12(server.addr()).unwrap());
    idle.get("/").unwrap();
    assert!(!answered(&mut idle).says_close());
    busy.get("/sleep?ms=900").unwrap();
    pause(ms(100));
    restart(&server);
    assert_eq!(idle.ending(5 * SECOND), Ending::Eof);
    assert!(answered(&mut busy).says_close());
    assert_eq!(busy.ending(5 * SECOND), Ending::Eof);
    handed_over(&server, 0);
    let mut fresh = Client::connect_tls12(server.addr()).unwrap();
    fresh.get("/").unwrap();
    answered(&mut fresh);
}
