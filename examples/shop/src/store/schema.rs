//! The tables, created at the first start.

use std::time::Instant;

use sqlx::Executor;

use super::{BUSY_TIMEOUT, Store};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS wallets (
        owner   TEXT PRIMARY KEY,
        balance INTEGER NOT NULL CHECK (balance >= 0)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS intents (
        id      TEXT PRIMARY KEY,
        owner   TEXT NOT NULL REFERENCES wallets (owner),
        item    TEXT NOT NULL,
        price   INTEGER NOT NULL,
        process TEXT NOT NULL,
        refused INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS debits (
        id     TEXT PRIMARY KEY REFERENCES intents (id),
        owner  TEXT NOT NULL REFERENCES wallets (owner),
        amount INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS purchases (
        number INTEGER PRIMARY KEY,
        id     TEXT NOT NULL UNIQUE REFERENCES debits (id),
        owner  TEXT NOT NULL REFERENCES wallets (owner),
        item   TEXT NOT NULL,
        price  INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS purchases_by_owner ON purchases (owner);
    CREATE TABLE IF NOT EXISTS receipts (
        id   TEXT PRIMARY KEY REFERENCES purchases (id),
        text TEXT NOT NULL
    ) STRICT;
";

impl Store {
    pub(super) async fn create_schema(&self) -> Result<(), sqlx::Error> {
        self.use_write_ahead_log().await?;
        let mut writing = self.write().await?;
        writing.transaction.execute(TABLES).await?;
        writing.commit().await
    }

    /// The mode is kept in the file. The switch needs the file for itself and, unlike other statements, doesn't wait
    /// for a process that does the same at this moment: so it is tried again.
    async fn use_write_ahead_log(&self) -> Result<(), sqlx::Error> {
        let deadline = Instant::now() + BUSY_TIMEOUT;
        loop {
            match sqlx::query("PRAGMA journal_mode = WAL").execute(&self.pool).await {
                Ok(_) => return Ok(()),
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether another process held the database for too long: nothing was changed, and the same may succeed later.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|extended| extended & 0xff == BUSY)
}
