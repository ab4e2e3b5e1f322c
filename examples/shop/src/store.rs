//! Wallets and purchases in one database, which several processes may share: an SQLite file, or PostgreSQL.
//!
//! Both get the same SQL by sqlx's `Any`: both take `$1`, `ON CONFLICT` and `count(*)`, and every column is a text or
//! a 64-bit integer. Where they differ is one file, `dialect.rs`.
//!
//! Invariants:
//! 1. An intent that is not refused, its debit and the wallet's new balance are written in one transaction.
//! 2. `debits.id`, `purchases.id`, `receipts.id`, `payments.id` and `settled.id` are unique: doing a step twice does
//!    nothing. A transaction that meets another one's unique row waits for it, and then finds it there.
//! 3. Every intent names the process that owes its completion ([`ProcessIdentity`]).
//! 4. Every wait has a limit, [`BUSY_TIMEOUT`]: for a connection, and for what another transaction holds. On SQLite
//!    the writers of one process take turns in order, and those of several wait for SQLite's lock.

use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

mod audit;
mod debit;
mod dialect;
mod error;
mod mailing;
mod open_error;
mod order;
mod payment;
mod process;
mod purchase;
mod recovery;
mod schema;
mod settlement;
#[cfg(test)]
mod tests;
mod wallet;

pub use audit::Audit;
pub use debit::Progress;
use dialect::Dialect;
pub use error::StoreError;
pub use open_error::OpenError;
pub use order::Order;
pub use payment::Taken;
pub use process::ProcessIdentity;
pub use purchase::Purchase;
pub use recovery::Recovery;
pub use settlement::Settlement;
pub use wallet::Wallet;

/// How long a process waits for another one's write, or for a connection.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The shop's database, cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    process: ProcessIdentity,
    turn: Arc<Mutex<()>>,
}

/// A write transaction, and on SQLite this process's turn to write. Dropped without a commit, it is rolled back.
struct Writing {
    transaction: Transaction<'static, Any>,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:shop.db?mode=rwc`, `postgres://user@host/database`), and creates what is
    /// missing in it.
    ///
    /// # Errors
    /// It cannot be used. The text hides the password.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let process = ProcessIdentity::current().map_err(|error| OpenError::new(url, error))?;
        Self::open_as(process, url).await
    }

    async fn open_as(process: ProcessIdentity, url: &str) -> Result<Self, OpenError> {
        let dialect = Dialect::of(url).map_err(|reason| OpenError::new(url, reason))?;
        Self::connect(process, dialect, url)
            .await
            .map_err(|error| OpenError::from_sqlx(url, &error))
    }

    async fn connect(
        process: ProcessIdentity,
        dialect: Dialect,
        url: &str,
    ) -> Result<Self, sqlx::Error> {
        sqlx::any::install_default_drivers();
        // A pool would try again until its time is over, and then only say that it is.
        let first = async {
            let mut first = AnyConnection::connect(url).await?;
            first.execute(dialect.settings()).await?;
            first.close().await
        };
        tokio::time::timeout(BUSY_TIMEOUT, first)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)??;
        let pool = AnyPoolOptions::new()
            .max_connections(dialect.connections())
            .acquire_timeout(BUSY_TIMEOUT)
            .after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(dialect.settings()).await.map(drop) })
            })
            .connect(url)
            .await?;
        let store = Self { pool, dialect, process, turn: Arc::default() };
        store.create_schema().await?;
        Ok(store)
    }

    /// The connections, for whoever closes them.
    pub fn pool(&self) -> AnyPool {
        self.pool.clone()
    }

    /// Closes the database once its connections are back. Everything that was answered is already in it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn write(&self) -> Result<Writing, sqlx::Error> {
        let turn = match self.dialect {
            Dialect::Sqlite => Some(Arc::clone(&self.turn).lock_owned().await),
            Dialect::Postgres => None,
        };
        let transaction = self.pool.begin_with(self.dialect.begin()).await?;
        Ok(Writing { transaction, _turn: turn })
    }
}

impl Writing {
    async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

/// An id that nobody has used.
fn random_id() -> Result<String, StoreError> {
    use std::fmt::Write;
    let mut bytes = [0_u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| sqlx::Error::Io(error.into()))?;
    Ok(bytes.iter().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    }))
}
