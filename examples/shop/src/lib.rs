//! The shop: wallets and purchases on SQLite or PostgreSQL, the web service of lameduck's README.
//!
//! A purchase is three steps: the wallet is debited, a payment provider is paid over HTTP, and the item is recorded. A
//! stop between them must not leave one without the others, so the work is shielded, and a start completes what a
//! SIGKILL tore. Orders come over HTTP, and from NATS JetStream where there is one.
//!
//! Guarantees, with the tests in `store/tests.rs`, on both databases in `tests/databases.rs`, and on real processes in
//! `tests/requirements.rs` and `tests/stops.rs`:
//! 1. A wallet is debited once per purchase id, and never below zero, whichever processes share the database. The
//!    provider is asked under the purchase's id, so it takes the money once.
//! 2. A debit that was answered survives a SIGKILL of the process (a power failure may lose the last ones on SQLite,
//!    which runs with `synchronous = NORMAL`).
//! 3. A start completes each purchase left torn by a process that runs no more, once, and no other.
//! 4. A stop in order leaves no purchase torn and no receipt unmailed, within lameduck's budget.
//! 5. A message from JetStream is acknowledged only once its purchase is recorded, or it is refused for good.
//! 6. Each recorded purchase is settled once.
//!
//! Limits: the processes that share a database run on one machine and see each other in `/proc`. A purchase whose
//! payment the provider refuses stays debited: nothing here pays money back.

pub mod arguments;
pub mod buy_error;
pub mod catalogue;
pub mod completion;
pub mod demo;
pub mod encryption;
pub mod logging;
pub mod money;
pub mod orders;
pub mod payments;
pub mod receipts;
pub mod routes;
pub mod secret_url;
pub mod settings;
pub mod settling;
pub mod shop;
pub mod store;
