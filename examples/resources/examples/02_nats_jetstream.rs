//! NATS JetStream: a message is acknowledged once its handler has done its work; a stop gives back what was pulled and
//! not begun.
//!
//! ```sh
//! nats-server --jetstream
//! cargo run -p resources --example 02_nats_jetstream
//! nats pub orders.tea '{{Count}}' --count 10000
//! wc -l orders.log
//! ```
//! What to look at: stop it and start it in the middle of the stream, as often as you like. No order is missing from the
//! file, and none is in it twice, unless the process was killed between its line and its acknowledgement.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{BatchConfig, Config as ConsumerConfig};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::{self, AckKind, Context, Message, stream::Config as StreamConfig};
use async_nats::{Client, StatusCode, Subject, Subscriber};
use futures_util::StreamExt;
use futures_util::stream::unfold;
use lameduck::{Error, Lifecycle, OnFailure, Service, Setup};
use tokio::time::timeout;

/// How many orders are handled at once, and how many the server may have sent ahead.
const AT_ONCE: usize = 8;
const AHEAD: usize = 32;
/// How long the server keeps a request open that it cannot fill.
const EXPIRES: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    resources::log();
    Service::new("orders").run(async |shop: &mut Setup| {
        let url = resources::variable("NATS_URL", "nats://127.0.0.1:4222");
        let nats = async_nats::connect(url).await;
        let nats = nats.map_err(|error| format!("NATS does not answer: {error}"))?;
        // Closed last, when the acknowledgements and what was given back are in its buffer.
        let nats = shop.resource_with("nats", nats, flush);

        let jetstream = jetstream::new((*nats).clone());
        let subjects = vec!["orders.>".to_owned()];
        let stream =
            StreamConfig { name: "ORDERS".to_owned(), subjects, ..StreamConfig::default() };
        let consumer = ConsumerConfig {
            durable_name: Some("shop".to_owned()),
            ack_policy: AckPolicy::Explicit,
            // When a process was killed, others get what it held after this: longer than any order takes.
            ack_wait: Duration::from_secs(5),
            ..ConsumerConfig::default()
        };
        let stream = jetstream.get_or_create_stream(stream).await?;
        let consumer = stream.get_or_create_consumer("shop", consumer).await?;
        let pull = Pull::new(consumer, &nats, jetstream, shop.lifecycle()).await?;
        let orders = unfold(pull, async |mut pull| Some((pull.next().await, pull)));

        let file = resources::variable("ORDERS_FILE", "orders.log");
        let file = Arc::new(File::options().append(true).create(true).open(file)?);
        let handle = move |order| take(order, Arc::clone(&file));
        shop.consume("orders", orders, handle)
            .concurrency(AT_ONCE)
            // An order that could not be handled is not acknowledged either: it comes again after `ack_wait`.
            .on_failure(OnFailure::restart())
            .uses(&nats);
        Ok(())
    })
}

/// Handles an order, and then acknowledges it. "Double": it ends when the server has confirmed the acknowledgement, so
/// that a handler which has ended is one whose message never comes again.
async fn take(order: Result<Message, Error>, mut file: Arc<File>) -> Result<(), Error> {
    let order = order?;
    // What handling takes, and then a trace of it that outlives the process: one line, in one write.
    tokio::time::sleep(Duration::from_millis(2)).await;
    file.write_all(format!("{}\n", String::from_utf8_lossy(&order.payload)).as_bytes())?;
    Ok(order.double_ack().await?)
}

async fn flush(nats: Client) -> Result<(), Error> {
    Ok(nats.flush().await?)
}

/// Orders as the server sends them, `AHEAD` a request. The crate's own `Stream` does that too; but when it is dropped,
/// what it had been sent is delivered again only after `ack_wait`.
struct Pull {
    consumer: PullConsumer,
    jetstream: Context,
    inbox: Subject,
    sent: Option<Subscriber>,
    /// How many the server may still send on the last request.
    open: usize,
    life: Lifecycle,
}

impl Pull {
    async fn new(
        consumer: PullConsumer,
        nats: &Client,
        jetstream: Context,
        life: Lifecycle,
    ) -> Result<Pull, Error> {
        let inbox = Subject::from(nats.new_inbox());
        let sent = Some(nats.subscribe(inbox.clone()).await?);
        Ok(Pull { consumer, jetstream, inbox, sent, open: 0, life })
    }

    async fn next(&mut self) -> Result<Message, Error> {
        loop {
            if self.open == 0 {
                let batch =
                    BatchConfig { batch: AHEAD, expires: Some(EXPIRES), ..BatchConfig::default() };
                self.consumer.request_batch(batch, self.inbox.clone()).await?;
                self.open = AHEAD;
            }
            let sent = self.sent.as_mut().ok_or("taken only by the drop")?;
            // Longer than the server takes: only if the connection was lost in the meantime nobody says that it is over.
            let Ok(next) = timeout(EXPIRES + Duration::from_secs(1), sent.next()).await else {
                self.open = 0;
                continue;
            };
            let message = next.ok_or("the subscription has ended")?;
            match message.status {
                None => {
                    self.open -= 1;
                    return Ok(Message { message, context: self.jetstream.clone() });
                }
                Some(StatusCode::TIMEOUT) => self.open = 0,
                Some(status) => {
                    self.open = 0;
                    let why = message.description.as_deref().unwrap_or("no reason given");
                    return Err(Error::msg(format!("no orders: {status}, {why}")));
                }
            }
        }
    }
}

impl Drop for Pull {
    /// When the drain begins, the consumer drops its stream, and so this. What the server has sent by then, and what is
    /// on its way, goes back at once: the next process gets it now and not after `ack_wait`.
    fn drop(&mut self) {
        let Some(mut sent) = self.sent.take() else { return };
        let (mut open, context) = (self.open, self.jetstream.clone());
        let giving = async move {
            let mut orders = Vec::new();
            while open > 0
                && let Ok(Some(message)) = timeout(Duration::from_millis(50), sent.next()).await
                && message.status.is_none()
            {
                open -= 1;
                orders.push(Message { message, context: context.clone() });
            }
            // Nothing is given back before the server knows that we take nothing: it would be sent to us.
            drop(sent);
            for order in orders {
                // One that cannot be given back comes again after `ack_wait`.
                let _ = order.ack_with(AckKind::Nak(None)).await;
            }
        };
        // On a task of its own, for which the stop waits; nobody here waits for it.
        drop(self.life.shield("give orders back", giving));
    }
}
