//! A client of `/ws`, frame by frame.

use lameduck_testkit::{Client, Server};

use super::{SECOND, connect};

/// FIN and the opcodes of RFC 6455, section 5.2.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
/// Close code 1001, "going away".
pub(crate) const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// A WebSocket on `/ws`.
pub(crate) fn websocket(server: &Server) -> Client {
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
pub(crate) fn send(client: &mut Client, opcode: u8, payload: &[u8]) {
    let mut frame = vec![opcode, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(payload);
    client.send(&frame).unwrap();
}

/// Reads one short frame.
pub(crate) fn receive(client: &mut Client) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    while bytes.len() < 2 || bytes.len() < 2 + usize::from(bytes[1]) {
        let more = client.read_some(5 * SECOND);
        assert!(!more.is_empty(), "no whole frame: {bytes:?}");
        bytes.extend(more);
    }
    assert_eq!(bytes.len(), 2 + usize::from(bytes[1]), "{bytes:?}");
    (bytes[0], bytes[2..].to_vec())
}

pub(crate) fn told_to_go(client: &mut Client) {
    let (opcode, payload) = receive(client);
    assert_eq!((opcode, &payload[..2]), (CLOSE, &GOING_AWAY[..]), "{payload:?}");
}
