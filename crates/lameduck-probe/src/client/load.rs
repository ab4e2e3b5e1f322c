//! Clients that never pause: with a connection each that they keep, or with a connection per request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::random::Random;
use super::{Client, Dial};
use crate::blocked::Blocked;
use crate::look::Look;
use crate::record::Role;
use crate::tape::Tape;

/// How long a load may take to get going.
const FLOW: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    answered: AtomicU64,
}

/// A load under way. Its clients end by themselves when they are refused after the signal.
#[derive(Debug)]
pub(crate) struct Loading {
    clients: JoinSet<()>,
    shared: Arc<Shared>,
}

/// What clients do that keep their connection.
#[derive(Debug, Clone)]
pub(crate) struct KeepAlive {
    /// How many.
    pub(crate) clients: usize,
    /// What they ask for.
    pub(crate) path: String,
    /// How long they think at least.
    pub(crate) at_least: Duration,
    /// How much longer at most: anything from nothing to this.
    pub(crate) think: Duration,
    /// Over what time their starts are spread: clients that start in step stay in step across a long wire.
    pub(crate) spread: Duration,
    /// How long a response may take.
    pub(crate) limit: Duration,
}

/// Each client asks, thinks, looks at its connection and asks again. It connects anew if the server said
/// `Connection: close`, or ended the connection while the client could still see it.
pub(crate) fn keep_alive(dial: &Dial, tape: &Tape, what: &KeepAlive) -> Loading {
    let shared = Arc::new(Shared::default());
    let mut clients = JoinSet::new();
    for number in 0..what.clients {
        let (dial, tape, what, shared) =
            (dial.clone(), tape.clone(), what.clone(), Arc::clone(&shared));
        clients.spawn(async move {
            sleep(what.spread.mul_f64(number as f64 / what.clients as f64)).await;
            let mut random = Random::new(number);
            let mut kept: Option<Client> = None;
            while !shared.stopped.load(Ordering::Relaxed) {
                sleep(what.at_least + random.up_to(what.think)).await;
                // What can be known before sending is no loss.
                kept = kept.and_then(|mut client| (client.look() == Look::Open).then_some(client));
                let mut client = match kept.take() {
                    Some(client) => client,
                    None => match Client::connect(&dial, &tape, Role::Load).await {
                        Some(client) => client.limit(what.limit),
                        None if tape.signalled().is_some() => return,
                        None => {
                            sleep(RETRY).await;
                            continue;
                        }
                    },
                };
                client.get(&what.path).await;
                match client.response().await {
                    Some(response) => {
                        shared.answered.fetch_add(1, Ordering::Relaxed);
                        kept = (!response.says_close()).then_some(client);
                    }
                    // Behind the relay a refusal shows only now.
                    None if client.was_refused() && tape.signalled().is_some() => return,
                    None => {}
                }
            }
        });
    }
    Loading { clients, shared }
}

/// Each client asks as fast as it can, each request on a connection of its own, with `Connection: close`. Their starts
/// are spread over that time.
pub(crate) fn fresh(
    dial: &Dial,
    tape: &Tape,
    clients: usize,
    path: &str,
    spread: Duration,
    limit: Duration,
) -> Loading {
    let shared = Arc::new(Shared::default());
    let mut set = JoinSet::new();
    for number in 0..clients {
        let (dial, tape, path, shared) =
            (dial.clone(), tape.clone(), path.to_owned(), Arc::clone(&shared));
        set.spawn(async move {
            sleep(spread.mul_f64(number as f64 / clients as f64)).await;
            while !shared.stopped.load(Ordering::Relaxed) {
                let Some(client) = Client::connect(&dial, &tape, Role::Load).await else {
                    if tape.signalled().is_some() {
                        return;
                    }
                    sleep(RETRY).await;
                    continue;
                };
                let mut client = client.limit(limit);
                client.get_and_close(&path).await;
                match client.response().await {
                    Some(_) => drop(shared.answered.fetch_add(1, Ordering::Relaxed)),
                    // Behind the relay a refusal shows only now.
                    None if client.was_refused() && tape.signalled().is_some() => return,
                    None => {}
                }
            }
        });
    }
    Loading { clients: set, shared }
}

impl Loading {
    /// Waits until that many requests are answered: the load is in full swing.
    pub(crate) async fn flowing(&self, requests: u64) -> Result<(), Blocked> {
        let end = Instant::now() + FLOW;
        while self.shared.answered.load(Ordering::Relaxed) < requests {
            if Instant::now() > end {
                let answered = self.shared.answered.load(Ordering::Relaxed);
                return Err(Blocked::setup(format!(
                    "the load did not flow: {answered} of {requests} requests answered"
                )));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until every client has ended by itself, for so long at most; then tells them to end.
    pub(crate) async fn finish(mut self, limit: Duration) {
        let all = async { while self.clients.join_next().await.is_some() {} };
        if timeout(limit, all).await.is_err() {
            self.shared.stopped.store(true, Ordering::Relaxed);
            let rest = async { while self.clients.join_next().await.is_some() {} };
            // What is still asked then has a second to come to its end; those that do not are dropped.
            let _ = timeout(Duration::from_secs(1), rest).await;
        }
    }
}
