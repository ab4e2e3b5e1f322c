//! The connection to NATS, and the stream of orders.

use std::time::Duration;

use async_nats::jetstream::{self, consumer, stream};
use async_nats::{Client, ConnectOptions};
use lameduck::Close;

use super::BrokerError;
use crate::secret_url::SecretUrl;

/// The stream that keeps the orders.
const STREAM: &str = "ORDERS";
/// The durable consumer that all shops share.
const CONSUMER: &str = "shop";
/// Where orders are published.
pub const SUBJECT: &str = "shop.orders";
/// When the broker gives a message to another shop, or again to this one: longer than a payment takes as a rule. Sooner
/// would do no harm, since a purchase's id is its message's.
const ACK_WAIT: Duration = Duration::from_secs(5);
/// How long connecting and each request may take.
const WITHIN: Duration = Duration::from_secs(5);

/// A connection to NATS, cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    client: Client,
}

impl Broker {
    /// How many orders are handled at once, and asked for ahead of time.
    pub const AT_ONCE: usize = 16;

    /// Connects.
    ///
    /// # Errors
    /// Nobody answers there. The text hides the password.
    pub async fn connect(url: &SecretUrl) -> Result<Self, BrokerError> {
        let options = ConnectOptions::new()
            .name("shop")
            .connection_timeout(WITHIN)
            .request_timeout(Some(WITHIN));
        let connecting = options.connect(url.expose()).await;
        Ok(Self { client: connecting.map_err(|error| BrokerError::new(url, error))? })
    }

    /// The orders, from the first that no shop has acknowledged. Creates the stream if there is none.
    ///
    /// # Errors
    /// JetStream is not switched on, or refuses. The text hides the password.
    pub async fn orders(&self, url: &SecretUrl) -> Result<consumer::pull::Stream, BrokerError> {
        let wrong = |error: &dyn std::fmt::Display| BrokerError::new(url, error);
        let jetstream = jetstream::new(self.client.clone());
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            ..stream::Config::default()
        };
        let stream = jetstream.get_or_create_stream(config).await.map_err(|error| wrong(&error))?;
        let config = consumer::pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_wait: ACK_WAIT,
            ..consumer::pull::Config::default()
        };
        let consumer = stream.get_or_create_consumer(CONSUMER, config).await;
        let consumer = consumer.map_err(|error| wrong(&error))?;
        let messages = consumer.stream().max_messages_per_batch(Self::AT_ONCE).messages().await;
        messages.map_err(|error| wrong(&error))
    }
}

impl Close for Broker {
    /// Sends what is still to be sent, and ends the connection.
    async fn close(self) -> Result<(), lameduck::Error> {
        self.client.flush().await?;
        Ok(self.client.drain().await?)
    }
}
