//! Buyers: a load of purchases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lameduck_testkit::{Client, Failure, Look, Outcome, Response, pause};
use serde_json::{Value, json};

use super::{LIMIT, post};

/// Buyers who keep their connection, and who connect for each purchase.
const KEEP_ALIVE: usize = 12;
const FRESH: usize = 4;

/// What the buyers met.
#[derive(Default)]
pub struct Tally {
    pub bought: u64,
    pub refused: u64,
    pub turned_away: u64,
    /// Connections opened again by those who keep theirs.
    pub reconnects: u64,
    pub lost: Vec<String>,
}

/// Buyers who order without end, each order under an id of its own, until it is bought.
pub struct Buyers {
    stopped: Arc<AtomicBool>,
    bought: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Buyers {
    /// Whose wallets they buy from.
    pub fn names() -> impl Iterator<Item = String> {
        (0..KEEP_ALIVE + FRESH).map(|number| format!("buyer{number}"))
    }

    pub fn start(address: SocketAddr) -> Self {
        let (stopped, bought) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let threads = (0..KEEP_ALIVE + FRESH).map(|number| {
            let (stopped, bought) = (Arc::clone(&stopped), Arc::clone(&bought));
            thread::spawn(move || {
                let (mut tally, mut connection) = (Tally::default(), None);
                let mut opened = 0;
                while !stopped.load(Ordering::Relaxed) {
                    let id = format!("{number}-{}", tally.bought);
                    let owner = format!("buyer{number}");
                    let order = json!({ "owner": owner, "item": "coffee", "id": id });
                    opened += buy(address, &mut connection, &order, &mut tally);
                    bought.fetch_add(1, Ordering::Relaxed);
                    if number >= KEEP_ALIVE {
                        connection = None;
                    }
                }
                if number < KEEP_ALIVE {
                    tally.reconnects = opened - 1;
                }
                tally
            })
        });
        let threads = threads.collect();
        Self { stopped, bought, threads }
    }

    pub fn bought(&self) -> u64 {
        self.bought.load(Ordering::Relaxed)
    }

    pub fn finish(mut self) -> Tally {
        self.stopped.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for buyer in self.threads.drain(..) {
            let one = buyer.join().expect("a buyer doesn't panic");
            all.bought += one.bought;
            all.refused += one.refused;
            all.turned_away += one.turned_away;
            all.reconnects += one.reconnects;
            all.lost.extend(one.lost);
        }
        all
    }
}

impl Drop for Buyers {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Sends the order until it is bought. How many connections that took.
fn buy(
    address: SocketAddr,
    connection: &mut Option<Client>,
    order: &Value,
    tally: &mut Tally,
) -> u64 {
    let mut opened = 0;
    loop {
        match ask(address, connection, order, &mut opened) {
            Ok(answer) if answer.status == 201 => {
                tally.bought += 1;
                return opened;
            }
            Ok(answer) if answer.status == 503 => tally.turned_away += 1,
            Ok(answer) => panic!("{order}: {} {}", answer.status, answer.text()),
            Err(failure) if failure.outcome() == Outcome::Refused => tally.refused += 1,
            Err(failure) => tally.lost.push(format!("{order}: {failure}")),
        }
        *connection = None;
        pause(Duration::from_millis(10));
    }
}

/// Asks once. A client that can know that its connection has ended connects anew, as any does.
fn ask(
    address: SocketAddr,
    connection: &mut Option<Client>,
    order: &Value,
    opened: &mut u64,
) -> Result<Response, Failure> {
    if connection.as_mut().is_some_and(|client| client.look() != Look::Open) {
        *connection = None;
    }
    let client = match connection {
        Some(client) => client,
        None => {
            let client = Client::connect(address)?.limit(LIMIT);
            *opened += 1;
            connection.insert(client)
        }
    };
    post(client, "/purchases", order)?;
    let answer = client.read_response()?;
    if answer.says_close() {
        *connection = None;
    }
    Ok(answer)
}
