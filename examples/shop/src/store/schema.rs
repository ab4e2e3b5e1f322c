//! The tables, created at the first start.

use std::time::Instant;

use sqlx::Executor;

use super::dialect::{Dialect, is_busy};
use super::{BUSY_TIMEOUT, Store};

/// `{integer}`, `{number}` and `{strict}` are a [`Dialect`]'s words.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS wallets (
        owner   TEXT PRIMARY KEY,
        balance {integer} NOT NULL CHECK (balance >= 0)
    ) {strict};
    CREATE TABLE IF NOT EXISTS intents (
        id      TEXT PRIMARY KEY,
        owner   TEXT NOT NULL REFERENCES wallets (owner),
        item    TEXT NOT NULL,
        price   {integer} NOT NULL,
        process TEXT NOT NULL,
        refused {integer} NOT NULL
    ) {strict};
    CREATE TABLE IF NOT EXISTS debits (
        id     TEXT PRIMARY KEY REFERENCES intents (id),
        owner  TEXT NOT NULL REFERENCES wallets (owner),
        amount {integer} NOT NULL
    ) {strict};
    CREATE TABLE IF NOT EXISTS purchases (
        number {number},
        id     TEXT NOT NULL UNIQUE REFERENCES debits (id),
        owner  TEXT NOT NULL REFERENCES wallets (owner),
        item   TEXT NOT NULL,
        price  {integer} NOT NULL
    ) {strict};
    CREATE INDEX IF NOT EXISTS purchases_by_owner ON purchases (owner);
    CREATE TABLE IF NOT EXISTS receipts (
        id   TEXT PRIMARY KEY REFERENCES purchases (id),
        text TEXT NOT NULL
    ) {strict};
    CREATE TABLE IF NOT EXISTS payments (
        id     TEXT PRIMARY KEY,
        amount {integer} NOT NULL
    ) {strict};
    CREATE TABLE IF NOT EXISTS settlements (
        number    {number},
        id        TEXT NOT NULL UNIQUE,
        purchases {integer} NOT NULL,
        total     {integer} NOT NULL
    ) {strict};
    CREATE TABLE IF NOT EXISTS settled (
        id         TEXT PRIMARY KEY REFERENCES purchases (id),
        settlement TEXT NOT NULL REFERENCES settlements (id)
    ) {strict};
    CREATE INDEX IF NOT EXISTS settled_by_settlement ON settled (settlement);
";

impl Store {
    pub(super) async fn create_schema(&self) -> Result<(), sqlx::Error> {
        if self.dialect == Dialect::Sqlite {
            self.use_write_ahead_log().await?;
        }
        let mut writing = self.write().await?;
        if let Some(alone) = self.dialect.alone_in_schema() {
            writing.transaction.execute(alone).await?;
        }
        writing.transaction.execute(self.dialect.schema(TABLES)).await?;
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
