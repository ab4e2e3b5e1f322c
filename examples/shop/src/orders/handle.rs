//! One message from JetStream.

use async_nats::jetstream::{AckKind, Message, consumer::pull::MessagesError};
use lameduck::Lifecycle;
use serde::Deserialize;
use tracing::{error, warn};

use crate::buy_error::BuyError;
use crate::shop::Shop;
use crate::store::Order;

/// A message's text.
#[derive(Debug, Deserialize)]
struct Wanted {
    owner: String,
    item: String,
}

/// Handles a message as a purchase, under the message's id, and acknowledges it once the purchase is recorded. It is
/// shielded, so that a purchase that has begun ends, and its message is acknowledged, within the stop's budget.
///
/// A message that is no order, or that the shop refuses, is terminated with a line in the log: the broker would
/// bring it for ever. One that fails for another reason is left to the broker, which brings it again.
pub async fn take_order(shop: Shop, message: Result<Message, MessagesError>) {
    let message = match message {
        Ok(message) => message,
        // The client connects again by itself.
        Err(failure) => return warn!(error = %failure, "the stream of orders was interrupted"),
    };
    let handling = async move { handle(&shop, &message).await };
    match Lifecycle::try_current() {
        // An interrupted one is named in the report, and the broker brings it again.
        Some(life) => drop(life.shield("order", handling).await),
        None => handling.await,
    }
}

async fn handle(shop: &Shop, message: &Message) {
    let Some(id) = id(message) else {
        return error!("a message that does not come from JetStream was left alone");
    };
    let outcome = match serde_json::from_slice(&message.payload) {
        Ok(Wanted { owner, item }) => shop.buy(Order { owner, item, id: Some(id.clone()) }).await,
        Err(reason) => return terminate(message, &id, reason.to_string()).await,
    };
    match outcome {
        Ok(_) => {
            // The broker says that it knows. If it does not, it brings the message again, which then buys nothing.
            if let Err(failure) = message.double_ack().await {
                warn!(id, error = %failure, "an order was bought and not acknowledged; it will come again");
            }
        }
        Err(refusal) if refusal.is_refusal() => terminate(message, &id, refusal.to_string()).await,
        Err(failure) => failed(&id, &failure),
    }
}

fn failed(id: &str, failure: &BuyError) {
    error!(id, error = %failure, "an order failed; the broker will bring it again");
}

async fn terminate(message: &Message, id: &str, reason: String) {
    warn!(id, "an order is dropped for good: {reason}");
    if let Err(failure) = message.double_ack_with(AckKind::Term).await {
        warn!(id, error = %failure, "an order was dropped and not acknowledged; it will come again");
    }
}

/// The id that the publisher gave it (`Nats-Msg-Id`), or its place in the stream.
fn id(message: &Message) -> Option<String> {
    let given = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id"));
    match given.map(AsRef::<str>::as_ref) {
        Some(given) if !given.is_empty() => Some(given.to_owned()),
        Some(_) | None => {
            let info = message.info().ok()?;
            Some(format!("order-{}-{}", info.stream, info.stream_sequence))
        }
    }
}
