//! Recorded purchases.

use serde::Serialize;

use super::{Store, StoreError};
use crate::money::Cents;

/// An item that was paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Purchase {
    /// Unique for all purchases.
    pub id: String,
    /// Who paid.
    pub owner: String,
    /// What was bought.
    pub item: String,
    /// What it cost, in cents.
    pub price: Cents,
}

/// The columns of a purchase, as the database returns them.
pub(super) type Row = (String, String, String, i64);

impl From<Row> for Purchase {
    fn from((id, owner, item, price): Row) -> Self {
        Self { id, owner, item, price: Cents(price) }
    }
}

impl Store {
    /// Records the item of a debited purchase, and says whether it was not recorded before.
    ///
    /// If it fails the purchase stays torn, [`StoreError::Unrecorded`], until this is called again or a start mends it.
    pub async fn record(&self, purchase: &Purchase) -> Result<bool, StoreError> {
        let unrecorded = |source| StoreError::Unrecorded { id: purchase.id.clone(), source };
        self.try_record(purchase).await.map_err(unrecorded)
    }

    async fn try_record(&self, purchase: &Purchase) -> Result<bool, sqlx::Error> {
        let mut writing = self.write().await?;
        let recorded = sqlx::query(
            "INSERT INTO purchases (id, owner, item, price) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&purchase.id)
        .bind(&purchase.owner)
        .bind(&purchase.item)
        .bind(purchase.price.0)
        .execute(&mut *writing.transaction)
        .await?;
        writing.commit().await?;
        Ok(recorded.rows_affected() == 1)
    }

    /// What `owner` bought, the latest first.
    pub async fn purchases(&self, owner: &str) -> Result<Vec<Purchase>, StoreError> {
        StoreError::unless_usable(owner)?;
        let mut reading = self.pool.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, owner, item, price FROM purchases WHERE owner = $1 ORDER BY number DESC",
        )
        .bind(owner)
        .fetch_all(&mut *reading)
        .await?;
        if rows.is_empty() {
            sqlx::query("SELECT 1 FROM wallets WHERE owner = $1")
                .bind(owner)
                .fetch_optional(&mut *reading)
                .await?
                .ok_or_else(|| StoreError::UnknownWallet(owner.to_owned()))?;
        }
        Ok(rows.into_iter().map(Purchase::from).collect())
    }
}
