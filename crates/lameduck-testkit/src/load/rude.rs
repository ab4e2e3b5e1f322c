//! Clients that break off.

use std::net::SocketAddr;
use std::time::Duration;

use crate::client::Client;
use crate::failure::Failure;
use crate::load::log::Log;
use crate::load::random::Random;
use crate::load::running::{Running, Shared};
use crate::pause::pause;

/// Each client opens a connection, does one of the things that real clients do to servers, and goes: by a reset, or in
/// the middle of something. It judges nothing, since it waits for nothing; what it is for is to leave behind whatever a
/// server does not clean up.
///
/// The server has the routes of the probe's: `/sleep`, `/hang`, `/stream`, `/echo`.
#[derive(Debug, Clone, Copy)]
pub struct Rude {
    addr: SocketAddr,
    tls: bool,
    clients: usize,
    think: Duration,
}

/// What a client does before it goes, and whether it goes by a reset.
const DEEDS: [(&str, bool); 10] = [
    // Nothing.
    ("", true),
    // Half a head.
    ("GET / HTTP/1.1\r\nHo", true),
    ("POST /echo HTTP/1.1\r\nHost: test\r\nContent-", false),
    // A handler that is at work.
    ("GET /sleep?ms=100 HTTP/1.1\r\nHost: test\r\n\r\n", true),
    ("GET /sleep?ms=100 HTTP/1.1\r\nHost: test\r\n\r\n", false),
    // One that would never end.
    ("GET /hang HTTP/1.1\r\nHost: test\r\n\r\n", true),
    // Half an upload.
    ("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nsome of it", true),
    // A response that is being written.
    ("GET /stream?chunks=50&ms=1 HTTP/1.1\r\nHost: test\r\n\r\n", true),
    // Another protocol, and half of one.
    ("\x16\x03\x01\x02\x00\x01\x00\x01", false),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
];

impl Rude {
    /// 4 clients that do something for up to 20 ms.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, tls: false, clients: 4, think: Duration::from_millis(20) }
    }

    /// How many clients.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// They speak TLS, whatever [`speak_tls`](crate::speak_tls) says.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts the clients, each on a thread of its own; in a namespace if called [`within`](crate::within) it.
    #[must_use]
    pub fn start(self) -> Running {
        let client = move |number, shared: &Shared| self.client(number, shared);
        Running::start(self.clients, self.think, client)
    }

    fn client(&self, number: usize, shared: &Shared) -> Log {
        let mut random = Random::new(number);
        for (turn, (deed, resets)) in DEEDS.iter().cycle().skip(number).enumerate() {
            if shared.stopped() {
                break;
            }
            // Where TLS is spoken, every third deed is one that comes without a handshake.
            let connection = match self.tls && turn % 3 > 0 {
                true => Client::connect_tls(self.addr),
                false => Client::connect(self.addr),
            };
            match connection {
                Ok(mut client) => {
                    // A server that closed already is no news.
                    let _sent = client.send(deed.as_bytes());
                    pause(random.up_to(self.think));
                    if *resets {
                        client.reset();
                    }
                }
                Err(Failure::Refused(_)) if shared.signalled() => break,
                Err(_) => pause(Duration::from_millis(10)),
            }
        }
        Log::default()
    }
}
