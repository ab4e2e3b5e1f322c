//! A buyer: buys coffee after coffee until the shop is gone.

use std::net::SocketAddr;
use std::time::Duration;

use super::Failure;
use super::client::Client;
use super::outcome::Outcome;
use super::tally::Tally;

/// Enough for any demonstration, in cents.
const BALANCE: i64 = 100_000_000;

/// Somebody with a wallet and a keep-alive connection.
#[derive(Debug)]
pub(super) struct Buyer {
    number: usize,
    client: Client,
}

impl Buyer {
    /// Opens a connection, and a wallet over it.
    pub(super) async fn with_wallet(number: usize, server: SocketAddr) -> Result<Self, Failure> {
        let mut client = Client::new(server);
        let wallet = format!(r#"{{"owner":"buyer-{number}","balance":{BALANCE}}}"#);
        let outcome = client.ask("POST", "/wallets", &wallet).await;
        if outcome != (Outcome::Answered { status: 201 }) {
            return Err(format!("buyer {number} got no wallet: {outcome:?}").into());
        }
        Ok(Self { number, client })
    }

    /// Buys until nobody takes the connection any more. Turned away, it comes back a little later.
    pub(super) async fn buy_until_refused(mut self, tally: &Tally) {
        for purchase in 0_usize.. {
            let order = format!(r#"{{"owner":"buyer-{}","item":"coffee"}}"#, self.number);
            tally.asked.set(tally.asked.get() + 1);
            let outcome = self.client.ask("POST", "/purchases", &order).await;
            tally.count(&outcome);
            let pause = match outcome {
                Outcome::Refused => return,
                Outcome::TurnedAway => 100,
                Outcome::Answered { .. } | Outcome::Lost | Outcome::Cut | Outcome::Hung => {
                    (self.number * 7 + purchase * 13) % 50
                }
            };
            tokio::time::sleep(Duration::from_millis(pause as u64)).await;
        }
    }
}
