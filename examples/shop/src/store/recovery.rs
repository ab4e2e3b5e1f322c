//! Taking over what a killed process left undone.

use sqlx::Executor;

use super::purchase::Row;
use super::{ProcessIdentity, Purchase, Store, StoreError};
use crate::receipts::Receipt;

/// What a start took over from processes that run no more: this process owes it now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Purchases that were debited and not recorded.
    pub torn: Vec<Purchase>,
    /// Receipts of recorded purchases that were not mailed.
    pub owed: Vec<Receipt>,
}

impl Store {
    /// Takes over the torn purchases of dead processes, and the receipts that they owed.
    ///
    /// It is one transaction, so of several processes that start together one finds the work, and the others none.
    /// What a living process owes is left to it.
    pub async fn recover(&self) -> Result<Recovery, StoreError> {
        let mut writing = self.write().await?;
        let connection = &mut *writing.transaction;
        if let Some(alone) = self.dialect.alone_in_intents() {
            connection.execute(alone).await?;
        }
        let processes: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT process FROM intents
             WHERE refused = 0 AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.id = intents.id)",
        )
        .fetch_all(&mut *connection)
        .await?;

        let mut recovery = Recovery::default();
        for process in processes {
            let runs = process.parse::<ProcessIdentity>().is_ok_and(|process| process.is_running());
            if runs {
                continue;
            }
            let torn: Vec<Row> = sqlx::query_as(
                "SELECT id, intents.owner, item, price FROM intents JOIN debits USING (id)
                 WHERE process = $1 AND NOT EXISTS (SELECT 1 FROM purchases WHERE purchases.id = intents.id)
                 ORDER BY id",
            )
            .bind(&process)
            .fetch_all(&mut *connection)
            .await?;
            recovery.torn.extend(torn.into_iter().map(Purchase::from));
            let owed: Vec<Row> = sqlx::query_as(
                "SELECT id, purchases.owner, purchases.item, purchases.price FROM purchases JOIN intents USING (id)
                 WHERE process = $1 AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.id = intents.id)
                 ORDER BY number",
            )
            .bind(&process)
            .fetch_all(&mut *connection)
            .await?;
            recovery.owed.extend(owed.into_iter().map(|row| Receipt::of(&Purchase::from(row))));
            sqlx::query(
                "UPDATE intents SET process = $1
                 WHERE process = $2 AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.id = intents.id)",
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
