//! Connections, and streams of HTTP/2, that have left HTTP: told in their own protocol, waited for, and cut at the drain deadline.

#![allow(missing_docs, reason = "a test program")]

mod target;

use lameduck_testkit::{Ending, pause};
use target::websocket::{CLOSE, GOING_AWAY, TEXT, receive, send, told_to_go, websocket};
use target::{SECOND, about, clean, drains_for, forced, ms, start, stop, target as command};

#[test]
fn a_websocket_is_told_close_1001_and_ends_in_order() {
    let server = start(command());
    let mut client = websocket(&server);
    send(&mut client, TEXT, b"hello");
    assert_eq!(receive(&mut client), (TEXT, b"hello".to_vec()));
    stop(&server);
    told_to_go(&mut client);
    send(&mut client, CLOSE, &GOING_AWAY);
    assert_eq!(client.ending(2 * SECOND), Ending::Eof);
    let report = clean(&server);
    assert_eq!(report["connections"]["upgraded"], 1, "{report}");
}

#[test]
fn a_websocket_is_waited_for() {
    let server = start(command());
    let mut client = websocket(&server);
    let at = stop(&server);
    told_to_go(&mut client);
    pause(SECOND);
    assert!(server.runs());
    send(&mut client, CLOSE, &GOING_AWAY);
    assert_eq!(client.ending(2 * SECOND), Ending::Eof);
    clean(&server);
    assert!(server.wait_exit(SECOND).at - at < 3 * SECOND);
}

#[test]
fn a_websocket_that_ignores_the_close_is_cut_at_the_drain_deadline_and_reported() {
    let server = start(drains_for("1s"));
    let mut client = websocket(&server);
    let peer = client.local_addr().unwrap().to_string();
    let at = stop(&server);
    told_to_go(&mut client);
    assert_ne!(client.ending(4 * SECOND), Ending::Open);
    about(at.elapsed(), SECOND);
    let report = forced(&server);
    assert_eq!(report["connections"]["cut"], 1, "{report}");
    assert_eq!(report["connections"]["upgraded"], 1, "{report}");
    let stuck = &report["stuck"][0];
    assert_eq!(stuck["kind"], "request");
    assert_eq!(stuck["name"], "GET /ws");
    assert_eq!(stuck["place"], peer);
    assert_eq!(stuck["doing"], "upgraded");
}

#[test]
fn a_websocket_that_never_falls_silent_is_told_as_well() {
    let server = start(command());
    let mut client = websocket(&server);
    let mut told = false;
    for round in 0..200 {
        if round == 20 {
            stop(&server);
        }
        send(&mut client, TEXT, b"more");
        let (opcode, _) = receive(&mut client);
        if opcode == CLOSE {
            told = true;
            break;
        }
        assert_eq!(opcode, TEXT);
        pause(ms(5));
    }
    assert!(told);
    send(&mut client, CLOSE, &GOING_AWAY);
    clean(&server);
}

#[test]
fn a_websocket_that_goes_away_frees_the_exit_at_once() {
    let server = start(command());
    let client = websocket(&server);
    stop(&server);
    let gone = std::time::Instant::now();
    drop(client);
    clean(&server);
    assert!(server.wait_exit(SECOND).at.saturating_duration_since(gone) < SECOND);
}

/// A WebSocket over HTTP/2 (RFC 8441) is one stream among others, so:
/// 1. A client opens one by an extended CONNECT.
/// 2. The service stops: the stream is told Close 1001.
/// 3. The client takes its time. A connection without requests would be closed after its last GOAWAY.
/// 4. The stream is still there, and ends when the client answers.
#[test]
fn a_websocket_over_http2_is_told_close_1001_and_waited_for() {
    let server = start(command());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = target::stream_for_h2(server.addr()).await;
        let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
        let _connection = tokio::runtime::Handle::current().spawn(connection);
        // The server's SETTINGS allow it.
        while !client.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(ms(5)).await;
        }
        let request = http::Request::connect("http://test/ws")
            .version(http::Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .extension(h2::ext::Protocol::from_static("websocket"))
            .body(())
            .unwrap();
        let (response, mut sending) = client.send_request(request, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let mut receiving = response.into_body();
        stop(&server);
        let told = tokio::time::timeout(5 * SECOND, receiving.data()).await.unwrap();
        let told = told.unwrap().unwrap();
        assert_eq!((told[0], &told[2..4]), (CLOSE, &GOING_AWAY[..]), "{told:?}");
        tokio::time::sleep(2 * SECOND).await;
        assert!(server.runs(), "it waits for the stream");
        let close = [CLOSE, 0x82, 0, 0, 0, 0, GOING_AWAY[0], GOING_AWAY[1]];
        sending.send_data(bytes::Bytes::copy_from_slice(&close), true).unwrap();
        while let Ok(Some(Ok(_))) = tokio::time::timeout(5 * SECOND, receiving.data()).await {}
    });
    clean(&server);
}
