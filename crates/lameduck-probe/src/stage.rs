//! What a case has at hand while it runs: the server under test, clients, and the tape.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::Signal;
use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::client::{Client, Dial, get_status};
use crate::judge::SLACK_MS;
use crate::record::Role;
use crate::relay::Relay;
use crate::routes::{Need, Routes};
use crate::server::{Server, ServerCommand};
use crate::tape::Tape;

/// What is the same for all cases of a run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server under test.
    pub command: ServerCommand,
    /// Where its routes are.
    pub routes: Routes,
    /// The signal that stops it.
    pub signal: Signal,
    /// How long it takes at most to stop, by its own configuration.
    pub grace: Duration,
    /// The round trip of the clients that are far away.
    pub rtt: Duration,
    /// How long it may take to start.
    pub start_limit: Duration,
}

/// One run of one case.
#[derive(Debug, Clone)]
pub struct Stage {
    setup: Arc<Setup>,
    tape: Tape,
}

impl Stage {
    /// With a tape that starts now.
    #[must_use]
    pub fn new(setup: Arc<Setup>) -> Self {
        Self { setup, tape: Tape::start() }
    }

    /// The tape.
    #[must_use]
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Starts the server and waits until it is ready: its readiness URL says so or, without one, it has answered a GET.
    /// Some listen before anybody is there to answer, or to take a signal.
    pub(crate) async fn start(&self) -> Result<Server, Blocked> {
        const ANSWER: Duration = Duration::from_secs(5);
        let server = self.start_listening().await?;
        if !self.setup.command.has_ready() {
            let url = format!("http://{}{}", server.addr(), self.setup.routes.root());
            // One that does not answer is judged by its case.
            get_status(&url, ANSWER).await;
        }
        Ok(server)
    }

    /// Starts the server and waits until it listens or, if there is a readiness URL, until that says 200.
    pub(crate) async fn start_listening(&self) -> Result<Server, Blocked> {
        Ok(Server::start(&self.setup.command, &self.tape, self.setup.start_limit).await?)
    }

    /// Sends the stop signal.
    pub(crate) fn stop(&self, server: &mut Server) {
        server.signal(self.setup.signal);
    }

    /// Waits for the server's end as long as is sensible, and puts it on the tape.
    pub(crate) async fn end(&self, mut server: Server) {
        server.wait_exit(self.left()).await;
        server.finish();
    }

    /// How long anything is waited for from the signal on: 2 s more than the process may take.
    pub(crate) fn limit(&self) -> Duration {
        self.setup.grace + Duration::from_millis(SLACK_MS + 2_000)
    }

    /// What is left of that.
    pub(crate) fn left(&self) -> Duration {
        let since = self.tape.signalled().map_or(Duration::ZERO, |at| at.elapsed());
        self.limit().saturating_sub(since)
    }

    /// How long a request takes, in milliseconds, that is in flight at the signal and fits well into the grace.
    pub(crate) fn work(&self) -> u64 {
        u64::try_from(self.setup.grace.as_millis() / 4).map_or(1_000, |ms| ms.clamp(50, 1_000))
    }

    /// The path of a route that takes a time.
    pub(crate) fn path(&self, need: Need, ms: u64) -> String {
        self.setup.routes.path(need, ms, 0)
    }

    /// Straight to the server.
    pub(crate) fn near(&self, server: &Server) -> Dial {
        Dial::direct(server.addr())
    }

    /// Through a relay that is half a round trip away.
    pub(crate) fn far(&self, server: &Server) -> Result<Dial, Blocked> {
        let relay = Relay::start(server.addr(), self.setup.rtt / 2);
        relay.map(Dial::through).map_err(|error| Blocked::Machine(format!("no relay: {error}")))
    }

    /// A connection, before the signal.
    pub(crate) async fn connect(&self, dial: &Dial, role: Role) -> Result<Client, Blocked> {
        let client = Client::connect(dial, &self.tape, role).await;
        let client = client.ok_or_else(|| Blocked::setup("the server refused a connection"))?;
        Ok(client.limit(self.limit()))
    }

    /// A connection on which a request was answered, before the signal; its role from there on.
    pub(crate) async fn warm(&self, dial: &Dial, role: Role) -> Result<Client, Blocked> {
        let mut client = self.connect(dial, Role::Setup).await?;
        client.get(self.setup.routes.root()).await;
        let response = client.response().await;
        let response = response.ok_or_else(|| Blocked::setup("a GET of / got no whole answer"))?;
        if response.says_close() {
            return Err(Blocked::setup("the server closes each connection after its answer"));
        }
        client.role(role);
        Ok(client)
    }

    /// So many of them, opened a few at a time.
    pub(crate) async fn warm_many(
        &self,
        dial: &Dial,
        role: Role,
        count: usize,
    ) -> Result<Vec<Client>, Blocked> {
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let wave = (count - clients.len()).min(5);
            for client in join_all((0..wave).map(|_| self.warm(dial, role))).await {
                clients.push(client?);
            }
        }
        Ok(clients)
    }

    /// Gives the server the time to read what was sent, and to begin with it.
    pub(crate) async fn settle(&self) {
        sleep(Duration::from_millis(150)).await;
    }

    /// Waits until that long after the signal.
    pub(crate) async fn after_signal(&self, ms: u64) {
        let at = self.tape.signalled().unwrap_or_else(Instant::now) + Duration::from_millis(ms);
        tokio::time::sleep_until(at.into()).await;
    }
}
