//! Whether every debit has its item.

use serde::Serialize;

use super::{Store, StoreError};

/// The counts that must agree once nothing is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Times a wallet was debited.
    pub debits: i64,
    /// Items recorded.
    pub purchases: i64,
    /// Debits without an item. Purchases under way count too: between debit and item nothing tells them from torn ones.
    pub torn: i64,
}

impl Store {
    /// Counts everything at one instant.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        let (debits, purchases, torn) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM debits),
                    (SELECT count(*) FROM purchases),
                    (SELECT count(*) FROM debits
                     WHERE NOT EXISTS (SELECT 1 FROM purchases WHERE purchases.id = debits.id))",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Audit { debits, purchases, torn })
    }
}
