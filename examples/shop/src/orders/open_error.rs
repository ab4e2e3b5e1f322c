//! A broker that cannot be used.

use crate::secret_url::SecretUrl;

/// What is wrong with the broker, on one line, without its password.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot use the broker {url:?}: {reason}; NATS_URL should name a NATS server with JetStream, for example \
     nats://127.0.0.1:4222; leave it out to take no orders from there"
)]
pub struct BrokerError {
    url: SecretUrl,
    reason: String,
}

impl BrokerError {
    pub(super) fn new(url: &SecretUrl, reason: impl ToString) -> Self {
        Self { url: url.clone(), reason: reason.to_string() }
    }
}
