//! Orders from NATS JetStream: a message is an order, handled as a purchase is.

mod broker;
mod handle;
mod open_error;

pub use broker::{Broker, SUBJECT};
pub use handle::take_order;
pub use open_error::BrokerError;
