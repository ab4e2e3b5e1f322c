//! Clients that hold a connection and ask nothing.

use std::net::SocketAddr;
use std::time::Duration;

use crate::client::Client;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::load::log::Log;
use crate::load::running::{Running, Shared};
use crate::pause::pause;

/// How soon a client sees that it is told to end.
const LOOK: Duration = Duration::from_millis(100);

/// Each client holds one connection: every second one asks once and then keeps it, the others never say a word. The
/// server may end it when it likes, in order; then the client opens another. A reset is [`reset`](crate::Tally::reset)
/// and lost, bytes that nobody asked for are bad.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    addr: SocketAddr,
    tls: bool,
    clients: usize,
}

impl Idle {
    /// 10 clients.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, tls: false, clients: 10 }
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
        Running::start(self.clients, Duration::ZERO, client)
    }

    fn client(&self, number: usize, shared: &Shared) -> Log {
        let mut log = Log::default();
        let mut had_one = false;
        while !shared.stopped() {
            let who = format!("idle client {number}");
            match self.hold(number, shared, &mut log, &who) {
                Ok(()) => log.tally.reconnects += u64::from(std::mem::replace(&mut had_one, true)),
                Err(failure) => {
                    log.failure(&failure, &who);
                    if matches!(failure, Failure::Refused(_)) {
                        if shared.signalled() {
                            break;
                        }
                        pause(Duration::from_millis(10));
                    }
                }
            }
        }
        log
    }

    /// One connection, until either side ends it.
    fn hold(
        &self,
        number: usize,
        shared: &Shared,
        log: &mut Log,
        who: &str,
    ) -> Result<(), Failure> {
        let asks = number.is_multiple_of(2);
        let mut client = match self.tls && asks {
            true => Client::connect_tls(self.addr)?,
            // Over TLS too it says nothing at all.
            false => Client::connect(self.addr)?,
        };
        if asks {
            client.get("/")?;
            let response = client.read_response()?;
            if log.response(&response, None, who) {
                shared.answered();
            }
        }
        while !shared.stopped() {
            match client.ending(LOOK) {
                Ending::Open => {}
                Ending::Eof => break,
                Ending::Reset => return Err(Failure::Reset),
                Ending::Bytes(bytes) => {
                    log.bad(&format!("{} bytes that nobody asked for ({who})", bytes.len()));
                    break;
                }
            }
        }
        Ok(())
    }
}
