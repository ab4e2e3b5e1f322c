//! The shop: wallets and purchases on SQLite, the web service of lameduck's README.
//!
//! A purchase is two steps with time between them, as with an outside payment provider: the wallet is debited, and
//! [`Settings::payment_delay`](settings::Settings::payment_delay) later the item is recorded. A stop between the two
//! must not leave one without the other, so the work is shielded, and a start completes what a SIGKILL tore.
//!
//! Guarantees, with the tests in `store/tests.rs`, and in `tests/requirements.rs` on real processes:
//! 1. A wallet is debited once per purchase id, and never below zero, whichever processes share the database.
//! 2. A debit that was answered survives a SIGKILL of the process (a power failure may lose the last ones: the
//!    database runs with `synchronous = NORMAL`).
//! 3. A start completes each purchase left torn by a process that runs no more, once, and no other.
//! 4. A stop in order leaves no purchase torn and no receipt unmailed, within lameduck's budget.
//!
//! Limit: the processes that share a database run on one machine and see each other in `/proc`.

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
