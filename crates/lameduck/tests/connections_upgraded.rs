//! Connections that have left HTTP: told in their own protocol, waited for, and cut at the drain deadline.

#![allow(missing_docs, reason = "a test program")]

mod target;

use lameduck_testkit::{Client, Ending, Server, pause};
use target::{
    SECOND, about, clean, connect, drains_for, forced, ms, start, stop, target as command,
};

/// FIN and the opcodes of RFC 6455, section 5.2.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
/// Close code 1001, "going away".
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// A WebSocket on `/ws`.
fn websocket(server: &Server) -> Client {
    let mut client = connect(server);
    client
        .send(
            b"GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let response = client.read_response().unwrap();
    assert_eq!(response.status, 101, "{response:?}");
    assert!(!response.says_close());
    client
}

/// Sends a frame as a client must, masked: by zeros, which change nothing.
fn send(client: &mut Client, opcode: u8, payload: &[u8]) {
    let mut frame = vec![opcode, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(payload);
    client.send(&frame).unwrap();
}

/// Reads one short frame.
fn receive(client: &mut Client) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    while bytes.len() < 2 || bytes.len() < 2 + usize::from(bytes[1]) {
        let more = client.read_some(5 * SECOND);
        assert!(!more.is_empty(), "no whole frame: {bytes:?}");
        bytes.extend(more);
    }
    assert_eq!(bytes.len(), 2 + usize::from(bytes[1]), "{bytes:?}");
    (bytes[0], bytes[2..].to_vec())
}

fn told_to_go(client: &mut Client) {
    let (opcode, payload) = receive(client);
    assert_eq!((opcode, &payload[..2]), (CLOSE, &GOING_AWAY[..]), "{payload:?}");
}

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
