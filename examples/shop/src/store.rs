//! Wallets and purchases in one SQLite file, which several processes may share.
//!
//! Invariants:
//! 1. An intent that is not refused, its debit and the wallet's new balance are written in one transaction.
//! 2. `debits.id`, `purchases.id` and `receipts.id` are unique: doing a step twice does nothing.
//! 3. Every intent names the process that owes its completion ([`ProcessIdentity`]).
//! 4. Writers of one process take turns in order, those of several processes by SQLite's lock, for which they wait
//!    up to [`BUSY_TIMEOUT`].

use std::sync::Arc;
use std::time::Duration;

use sqlx::Transaction;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

mod audit;
mod debit;
mod error;
mod mailing;
mod open_error;
mod order;
mod process;
mod purchase;
mod recovery;
mod schema;
#[cfg(test)]
mod tests;
mod wallet;

pub use audit::Audit;
pub use debit::Progress;
pub use error::StoreError;
pub use open_error::OpenError;
pub use order::Order;
pub use process::ProcessIdentity;
pub use purchase::Purchase;
pub use recovery::Recovery;
pub use wallet::Wallet;

/// How long a process waits for another one's write.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The shop's database, cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    process: ProcessIdentity,
    turn: Arc<Mutex<()>>,
}

/// A write transaction and this process's turn to write. Dropped without a commit, it is rolled back.
struct Writing {
    transaction: Transaction<'static, Sqlite>,
    _turn: OwnedMutexGuard<()>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:shop.db?mode=rwc`), and creates what is missing in it.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        if !url.starts_with("sqlite:") {
            return Err(OpenError::new(url, "it does not begin with sqlite:"));
        }
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(OpenError::new(url, "what is in memory does not outlive the process"));
        }
        let process = ProcessIdentity::current().map_err(|error| OpenError::new(url, error))?;
        Self::open_as(process, url).await.map_err(|error| OpenError::from_sqlx(url, &error))
    }

    async fn open_as(process: ProcessIdentity, url: &str) -> Result<Self, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        let options = options.busy_timeout(BUSY_TIMEOUT).synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        let store = Self { pool, process, turn: Arc::default() };
        store.create_schema().await?;
        Ok(store)
    }

    /// The connections, for whoever closes them.
    pub fn pool(&self) -> SqlitePool {
        self.pool.clone()
    }

    /// Closes the database once its connections are back. Everything that was answered is already in the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn write(&self) -> Result<Writing, sqlx::Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Writing { transaction, _turn: turn })
    }
}

impl Writing {
    async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}
