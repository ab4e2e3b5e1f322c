//! What the kernel alone takes for a connection with one request: accept, read, write, close, one connection after the
//! other on one thread. No server, and no measure of one: the part of a connection's cost that none can save.

use std::io::{self, Read, Write};
use std::net::TcpListener;

use crate::listener;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nOK";

/// Until the process is killed.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    let listener: TcpListener = listener::listening(port)?.into();
    let mut request = [0; 4096];
    loop {
        let (mut stream, _) = listener.accept()?;
        // A client that went away is none of its business.
        if stream.read(&mut request).is_ok_and(|read| read > 0) {
            let _ = stream.write_all(ANSWER);
        }
    }
}
