//! Connections that ask once, stay silent, and ask once more at the end.

use std::fmt;
use std::net::SocketAddr;

use crate::client::Client;
use crate::failure::Failure;
use crate::load::log::Log;
use crate::load::tally::Tally;
use lameduck_probe::Look;

/// Open connections, each answered once. What becomes of them in their silence is seen when they are asked again:
/// [`Idle`](crate::Idle) has clients that come back, this has none. One thread holds them all.
#[derive(Debug)]
pub struct Held {
    clients: Vec<Client>,
    tally: Tally,
}

/// What became of connections that were [`Held`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTally {
    /// How many there were.
    pub of: usize,
    /// How many answered again.
    pub alive: usize,
    /// The requests of both times. A connection that the server had ended in order counts as a reconnect, since its
    /// client would have to; it lost no request. One that was reset is lost.
    pub tally: Tally,
}

impl Held {
    /// Opens so many connections and asks for `/` on each.
    ///
    /// # Errors
    /// One of them could not be opened, or was not answered.
    pub fn open(addr: SocketAddr, count: usize) -> Result<Self, Failure> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            let mut client = Client::connect(addr)?;
            client.get("/")?;
            clients.push(client);
        }
        for client in &mut clients {
            client.read_response()?;
        }
        let tally = Tally { answered: count as u64, ..Tally::default() };
        Ok(Self { clients, tally })
    }

    /// How many of them have ended, as far as the client can see. Takes nothing.
    pub fn ended(&mut self) -> usize {
        self.clients
            .iter_mut()
            .filter_map(|client| (client.look() != Look::Open).then_some(()))
            .count()
    }

    /// Asks on each once more. What was expected of them the first time must come again, on the same connection.
    #[must_use]
    pub fn finish(self) -> HeldTally {
        let Self { mut clients, tally } = self;
        let of = clients.len();
        let mut log = Log { tally, ..Log::default() };
        let mut asked = Vec::new();
        for (number, mut client) in clients.drain(..).enumerate() {
            let who = format!("idle connection {number} of {of}");
            match client.look() {
                Look::Open => match client.get("/") {
                    Ok(()) => asked.push((who, client)),
                    Err(failure) => log.failure(&failure, &who),
                },
                Look::Eof => log.tally.reconnects += 1,
                Look::Reset => log.failure(&Failure::Reset, &who),
                Look::Bytes => log.bad(&format!("bytes that nobody asked for ({who})")),
            }
        }
        let mut alive = 0;
        for (who, mut client) in asked {
            match client.read_response() {
                Ok(response) => alive += usize::from(log.response(&response, None, &who)),
                // It ended between the look and the send: nothing was sent.
                Err(Failure::Unsent) => log.tally.reconnects += 1,
                Err(failure) => log.failure(&failure, &who),
            }
        }
        log.tally.failures.extend(log.failures.into_iter().map(|(_, text)| text));
        HeldTally { of, alive, tally: log.tally }
    }
}

impl fmt::Display for HeldTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} idle connections alive; {}", self.alive, self.of, self.tally)
    }
}
