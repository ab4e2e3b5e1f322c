//! Clients that open a connection for each request.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::failure::Failure;
use crate::load::log::Log;
use crate::load::running::{Running, Shared};
use crate::pause::pause;
use lameduck_probe::http1::Response;

/// Each client asks as fast as it can, each request on a new connection, with `Connection: close`.
///
/// A connect that is refused or runs out of time is a refusal. A connection that was established and then reset is
/// [`reset`](crate::Tally::reset) and lost, whether or not the request could still be sent: to the client the server
/// had taken it.
#[derive(Debug, Clone)]
pub struct Fresh {
    addr: SocketAddr,
    tls: bool,
    clients: usize,
    path: String,
    limit: Duration,
    spread: Duration,
    expected: Option<Vec<u8>>,
}

impl Fresh {
    /// 10 clients that ask for `/`.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            tls: false,
            clients: 10,
            path: "/".to_owned(),
            limit: Duration::from_secs(15),
            spread: Duration::ZERO,
            expected: None,
        }
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

    /// What they ask for.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// How long a response may take: 15 s if nothing else is said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Spreads the clients' starts over that time: clients that start in step stay in step across a long wire, all
    /// their requests are on it at once, and what is lost at another moment of the round trip goes unseen. So say two
    /// round trips or more.
    #[must_use]
    pub fn spread(mut self, over: Duration) -> Self {
        self.spread = over;
        self
    }

    /// What every response must hold; another body is bad.
    #[must_use]
    pub fn expect(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.expected = Some(body.into());
        self
    }

    /// Starts the clients, each on a thread of its own; in a namespace if called [`within`](crate::within) it.
    #[must_use]
    pub fn start(self) -> Running {
        Running::start(self.clients, self.spread, move |number, shared| self.client(number, shared))
    }

    fn client(&self, number: usize, shared: &Shared) -> Log {
        let mut log = Log::default();
        let mut request = 0_u64;
        while !shared.stopped() {
            request += 1;
            let who = format!("client {number}, request {request}");
            let (began, disturbed) = (Instant::now(), shared.disturbed());
            match self.ask() {
                Ok(response) => {
                    if log.response(&response, self.expected.as_deref(), &who) {
                        log.latencies.add(disturbed, response.at - began);
                        shared.answered();
                    }
                }
                Err(failure) => {
                    let failure = if failure == Failure::Unsent { Failure::Reset } else { failure };
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

    fn ask(&self) -> Result<Response, Failure> {
        let client =
            if self.tls { Client::connect_tls(self.addr) } else { Client::connect(self.addr) };
        let mut client = client?.limit(self.limit);
        let request =
            format!("GET {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", self.path);
        client.send(request.as_bytes())?;
        client.read_response()
    }
}
