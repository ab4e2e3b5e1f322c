//! Completing what a killed process left torn.

use std::fmt;

use super::purchase::Row;
use super::{ProcessIdentity, Purchase, Store, StoreError};
use crate::receipts::Receipt;

/// What a start took over from processes that run no more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Purchases that were debited and not recorded, and now are.
    pub completed: u64,
    /// Receipts that were not mailed.
    pub owed: Vec<Receipt>,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.completed {
            0 => f.write_str("no purchase was left torn"),
            1 => f.write_str("completed 1 purchase that an earlier process left torn"),
            more => write!(f, "completed {more} purchases that an earlier process left torn"),
        }
    }
}

impl Store {
    /// Completes the purchases of dead processes, and takes over the receipts that they owed.
    ///
    /// It is one transaction, so of several processes that start together one finds the work, and the others none.
    /// What a living process owes is left to it.
    pub async fn recover(&self) -> Result<Recovery, StoreError> {
        let mut writing = self.write().await?;
        let connection = &mut *writing.transaction;
        let processes: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT process FROM intents
             WHERE NOT refused AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.id = intents.id)",
        )
        .fetch_all(&mut *connection)
        .await?;

        let mut recovery = Recovery::default();
        for process in processes {
            let runs = process.parse::<ProcessIdentity>().is_ok_and(|process| process.is_running());
            if runs {
                continue;
            }
            recovery.completed += sqlx::query(
                "INSERT INTO purchases (id, owner, item, price)
                 SELECT id, intents.owner, item, price FROM intents JOIN debits USING (id) WHERE process = ?
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(&process)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            let owed: Vec<Row> = sqlx::query_as(
                "SELECT id, purchases.owner, purchases.item, purchases.price FROM purchases JOIN intents USING (id)
                 WHERE process = ? AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.id = intents.id)
                 ORDER BY number",
            )
            .bind(&process)
            .fetch_all(&mut *connection)
            .await?;
            recovery.owed.extend(owed.into_iter().map(|row| Receipt::of(&Purchase::from(row))));
            sqlx::query(
                "UPDATE intents SET process = ?
                 WHERE process = ? AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.id = intents.id)",
            )
            .bind(self.process.to_string())
            .bind(&process)
            .execute(&mut *connection)
            .await?;
        }
        writing.commit().await?;
        Ok(recovery)
    }
}
