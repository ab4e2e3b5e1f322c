//! Handshakes: finished and served in a drain, and bounded always.

use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Ending, Failure, Server, eventually, pause};

use crate::target::frames::{PREFACE, SETTINGS};
use crate::target::{
    ROOM, SECOND, about, answered, answered_and_closed, clean, connect, drains_for, forced, ms,
    start, stop, target,
};

/// A client that has sent the beginning of its first message, and the rest of that.
fn half_shaken(server: &Server, protocols: &[&str]) -> (Client, Vec<u8>) {
    let mut client = Client::connect_silent(server.addr(), protocols).unwrap();
    let mut hello = client.seal(b"");
    let rest = hello.split_off(60);
    client.send_raw(&hello).unwrap();
    (client, rest)
}

fn shake(client: &mut Client) {
    let hello = client.seal(b"");
    client.send_raw(&hello).unwrap();
    let shaken = eventually(2 * SECOND, || {
        let _ = client.look();
        client.certificate().is_some()
    });
    assert!(shaken, "no handshake");
}

fn within_a_tick(took: Duration, limit: Duration) {
    assert!(took + ms(5) >= limit, "{took:?} is early for {limit:?}");
    assert!(took < limit + SECOND + ROOM, "{took:?} is late for {limit:?}");
}

#[test]
fn a_handshake_under_way_when_the_drain_begins_is_finished_and_served() {
    let server = start(target());
    let (mut client, rest) = half_shaken(&server, &["http/1.1"]);
    pause(ms(100));
    stop(&server);
    pause(ms(800));
    client.send_raw(&rest).unwrap();
    client.get("/").unwrap();
    answered_and_closed(&mut client);
    let report = clean(&server);
    assert_eq!(report["requests"]["completed"], 1);
    assert_eq!(report["connections"]["closed_idle"], 0);
}

#[test]
fn a_handshake_that_begins_within_the_idle_grace_is_finished_and_served() {
    let server = start(target().env("LAMEDUCK_IDLE_GRACE", "1s"));
    let mut client = Client::connect_silent(server.addr(), &["http/1.1"]).unwrap();
    stop(&server);
    pause(ms(300));
    client.get("/").unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn the_idle_grace_runs_from_the_end_of_the_handshake() {
    let server = start(target().env("LAMEDUCK_IDLE_GRACE", "1s"));
    let (mut http1, rest1) = half_shaken(&server, &["http/1.1"]);
    let (mut http2, rest2) = half_shaken(&server, &["h2"]);
    pause(ms(100));
    stop(&server);
    pause(ms(1_500));
    for (client, rest) in [(&mut http1, rest1), (&mut http2, rest2)] {
        client.send_raw(&rest).unwrap();
        shake(client);
    }
    pause(ms(400));
    http1.get("/").unwrap();
    http2.send(&[PREFACE, &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]].concat()).unwrap();
    answered_and_closed(&mut http1);
    // The server's own SETTINGS, and its goodbye: it was not closed for being silent.
    assert!(matches!(http2.ending(2 * SECOND), Ending::Bytes(_)));
    clean(&server);
}

#[test]
fn a_peer_that_has_sent_nothing_is_closed_at_the_end_of_the_idle_grace() {
    let server = start(target().env("LAMEDUCK_IDLE_GRACE", "1s"));
    let mut client = Client::connect_plain(server.addr()).unwrap();
    // Behind it in the accept queue.
    drop(connect(&server));
    let at = stop(&server);
    let end = client.ending(4 * SECOND);
    assert!(!matches!(end, Ending::Open | Ending::Reset), "{end:?}");
    about(at.elapsed(), SECOND);
    assert_eq!(clean(&server)["connections"]["closed_idle"], 1);
}

#[test]
fn a_handshake_that_does_not_end_and_a_peer_that_says_nothing_are_closed_at_the_handshake_timeout()
{
    let server = start(target().env("TLS_HANDSHAKE_MS", "1000"));
    let began = Instant::now();
    let mut silent = Client::connect_plain(server.addr()).unwrap();
    let (mut slow, rest) = half_shaken(&server, &["http/1.1"]);
    // One byte after the other does not lengthen it.
    let ended = rest.iter().any(|byte| {
        let _ = slow.send_raw(&[*byte]);
        pause(ms(50));
        !matches!(slow.look(), lameduck_testkit::Look::Open)
    });
    assert!(ended);
    within_a_tick(began.elapsed(), SECOND);
    assert_ne!(silent.ending(SECOND + ROOM), Ending::Open);
    // One that was shaken in time is not concerned.
    let mut client = connect(&server);
    pause(ms(2_500));
    client.get("/").unwrap();
    answered(&mut client);
}

#[test]
fn a_handshake_that_does_not_end_does_not_use_up_the_drain() {
    let server = start(target().env("TLS_HANDSHAKE_MS", "1000"));
    let (mut client, _) = half_shaken(&server, &["http/1.1"]);
    pause(ms(100));
    let at = stop(&server);
    assert_ne!(client.ending(4 * SECOND), Ending::Open);
    let exit = server.wait_exit(4 * SECOND);
    assert!(exit.at - at < SECOND + ROOM, "{:?}", exit.at - at);
    clean(&server);
}

#[test]
fn a_handshake_that_does_not_end_is_cut_at_the_drain_deadline_and_named() {
    let server = start(drains_for("1s"));
    let (mut client, _) = half_shaken(&server, &["http/1.1"]);
    let peer = client.local_addr().unwrap().to_string();
    pause(ms(100));
    let at = stop(&server);
    assert_ne!(client.ending(4 * SECOND), Ending::Open);
    about(at.elapsed(), SECOND);
    let report = forced(&server);
    assert_eq!(report["stuck"][0]["doing"], "in the TLS handshake", "{report}");
    assert_eq!(report["stuck"][0]["place"], peer, "{report}");
    assert_eq!(report["connections"]["cut"], 1, "{report}");
}

#[test]
fn http_2_is_spoken_where_it_was_negotiated_and_nowhere_else() {
    let server = start(target());
    let addr = server.addr();
    for (offered, negotiated) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let mut client = Client::connect_silent(addr, offered).unwrap();
        shake(&mut client);
        assert_eq!(client.protocol().as_deref(), negotiated);
        if negotiated != Some(b"h2") {
            client.get("/").unwrap();
            answered(&mut client);
            // Without having said so before, HTTP/2's preface is no HTTP.
            let mut client = Client::connect_silent(addr, offered).unwrap();
            client.send(&[PREFACE, &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]].concat()).unwrap();
            match client.read_response() {
                Ok(response) => assert_eq!(response.status, 400),
                Err(failure) => assert!(!matches!(failure, Failure::Hung { .. }), "{failure}"),
            }
        }
    }
    let mut stranger = Client::connect_silent(addr, &["spdy/3"]).unwrap();
    stranger.get("/").unwrap();
    assert_eq!(stranger.read_response().unwrap_err(), Failure::Reset);
}

#[test]
fn bytes_that_are_no_tls_end_their_own_connection_alone() {
    let server = start(target());
    let mut good = connect(&server);
    let mut plain = Client::connect_plain(server.addr()).unwrap();
    plain.get("/").unwrap();
    // An alert, in which nobody sees HTTP.
    assert!(plain.read_response().is_err());
    good.get("/").unwrap();
    answered(&mut good);
    let at = stop(&server);
    clean(&server);
    assert!(server.wait_exit(SECOND).at - at < 2 * SECOND);
}
