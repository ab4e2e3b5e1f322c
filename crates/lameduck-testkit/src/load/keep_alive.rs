//! Clients that keep their connection, as a load balancer's do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::failure::Failure;
use crate::load::ask::Ask;
use crate::load::log::Log;
use crate::load::random::Random;
use crate::load::running::{Running, Shared};
use crate::pause::pause;
use lameduck_probe::Look;

/// Each client keeps one connection, asks, thinks, looks at the connection and asks again. It connects anew if the
/// server said `Connection: close` or ended the connection while the client could still see it.
#[derive(Debug, Clone)]
pub struct KeepAlive {
    addr: SocketAddr,
    tls: bool,
    clients: usize,
    path: String,
    upload: Option<Upload>,
    mixed: bool,
    think: Duration,
    limit: Duration,
    spread: Duration,
    expected: Option<Vec<u8>>,
}

/// A body that is sent in pieces.
#[derive(Debug, Clone)]
struct Upload {
    body: Vec<u8>,
    pieces: usize,
    between: Duration,
}

impl KeepAlive {
    /// 50 clients that ask for `/` and think for up to 10 ms.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            tls: false,
            clients: 50,
            path: "/".to_owned(),
            upload: None,
            mixed: false,
            think: Duration::from_millis(10),
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

    /// They POST that body, in so many pieces with that pause between them: an upload that takes its time.
    #[must_use]
    pub fn upload(mut self, body: impl Into<Vec<u8>>, pieces: usize, between: Duration) -> Self {
        self.upload = Some(Upload { body: body.into(), pieces: pieces.max(1), between });
        self
    }

    /// They ask for anything, each time at random: short answers, streams in chunks, echoes of bodies of any length,
    /// requests sent in two pieces, two requests at once; whatever [`path`](Self::path) and [`upload`](Self::upload)
    /// say. Every body is compared. Only the plain short requests are timed, since the others take their time by design.
    /// The server has the routes of the probe's: `/`, `/echo`, `/stream`.
    #[must_use]
    pub fn mixed(mut self) -> Self {
        self.mixed = true;
        self
    }

    /// How long they think at most; anything from nothing to this, so that they fall out of step.
    #[must_use]
    pub fn think(mut self, limit: Duration) -> Self {
        self.think = limit;
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
        let mut random = Random::new(number);
        let mut connection: Option<Client> = None;
        let mut had_one = false;
        let (mut on_this, mut turn) = (0, 0);
        while !shared.stopped() {
            pause(random.up_to(self.think));
            let who = format!("client {number}, request {} on its connection", on_this + 1);
            match connection.as_mut().map(Client::look) {
                None | Some(Look::Open) => {}
                Some(Look::Eof | Look::Reset) => connection = None,
                Some(Look::Bytes) => {
                    log.bad(&format!("bytes that nobody asked for ({who})"));
                    connection = None;
                }
            }
            let mut client = match connection.take() {
                Some(client) => client,
                None => match self.connect() {
                    Ok(client) => {
                        log.tally.reconnects += u64::from(had_one);
                        had_one = true;
                        on_this = 0;
                        client.limit(self.limit)
                    }
                    Err(failure) => {
                        log.failure(&failure, &who);
                        if shared.signalled() {
                            break;
                        }
                        pause(Duration::from_millis(10));
                        continue;
                    }
                },
            };
            turn += 1;
            let ask = self.mixed.then(|| Ask::any(&mut random, number, turn));
            let exchanged = match &ask {
                Some(ask) => self.exchange(&mut client, ask, &mut random, shared, &mut log, &who),
                None => self.request(&mut client, shared, &mut log, &who),
            };
            match exchanged {
                Ok(stays) => {
                    on_this += 1;
                    connection = stays.then_some(client);
                }
                // It closed between the look and the send: nothing was sent, the next turn connects anew.
                Err(Failure::Unsent) if on_this > 0 => {}
                Err(failure) => {
                    let failure = if failure == Failure::Unsent { Failure::Reset } else { failure };
                    log.failure(&failure, &who);
                    if matches!(failure, Failure::Refused(_)) && shared.signalled() {
                        break;
                    }
                }
            }
        }
        log
    }

    fn connect(&self) -> Result<Client, Failure> {
        if self.tls { Client::connect_tls(self.addr) } else { Client::connect(self.addr) }
    }

    /// One request; whether the connection stays.
    fn request(
        &self,
        client: &mut Client,
        shared: &Shared,
        log: &mut Log,
        who: &str,
    ) -> Result<bool, Failure> {
        let (began, disturbed) = (Instant::now(), shared.disturbed());
        self.send(client)?;
        let response = client.read_response()?;
        if log.response(&response, self.expected.as_deref(), who) {
            log.latencies.add(disturbed, response.at - began);
            shared.answered();
        }
        Ok(!response.says_close())
    }

    /// What was asked at random; whether the connection stays.
    fn exchange(
        &self,
        client: &mut Client,
        ask: &Ask,
        random: &mut Random,
        shared: &Shared,
        log: &mut Log,
        who: &str,
    ) -> Result<bool, Failure> {
        let (mut began, mut disturbed) = (Instant::now(), shared.disturbed());
        for (number, piece) in ask.pieces.iter().enumerate() {
            if number > 0 {
                pause(Ask::between(random));
                (began, disturbed) = (Instant::now(), shared.disturbed());
            }
            client.send(piece)?;
        }
        for answer in &ask.answers {
            let response = client.read_response()?;
            if log.response(&response, Some(answer), who) {
                if ask.timed {
                    log.latencies.add(disturbed, response.at - began);
                }
                shared.answered();
            }
            // What was sent behind it was not processed, as that header says.
            if response.says_close() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn send(&self, client: &mut Client) -> Result<(), Failure> {
        let Some(Upload { body, pieces, between }) = &self.upload else {
            return client.get(&self.path);
        };
        let path = &self.path;
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        client.send(head.as_bytes())?;
        for piece in body.chunks(length.div_ceil(*pieces).max(1)) {
            pause(*between);
            client.send(piece)?;
        }
        Ok(())
    }
}
