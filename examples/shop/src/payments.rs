//! Payments: the client of a provider, and a stand-in for the provider.

mod client;
mod error;
mod provider;

pub use client::Payments;
pub use error::PaymentError;
pub use provider::Provider;
