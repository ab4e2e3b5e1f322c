//! Settling: recorded purchases, added up once each.

use super::{Store, StoreError, random_id};
use crate::money::Cents;

/// Purchases that were settled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// How many.
    pub purchases: i64,
    /// What they cost together.
    pub total: Cents,
}

impl Store {
    /// How many recorded purchases are not settled yet.
    pub async fn unsettled(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar(
            "SELECT count(*) FROM purchases WHERE NOT EXISTS (SELECT 1 FROM settled WHERE settled.id = purchases.id)",
        );
        Ok(count.fetch_one(&self.pool).await?)
    }

    /// Settles up to so many purchases, the oldest first; none if there are none. It is one transaction: cut anywhere
    /// it has settled all of them or none, and done again it settles others. Of two processes that settle at the same
    /// time each purchase is settled by one.
    pub async fn settle(&self, at_most: i64) -> Result<Option<Settlement>, StoreError> {
        let id = random_id()?;
        let mut writing = self.write().await?;
        let connection = &mut *writing.transaction;
        sqlx::query("INSERT INTO settlements (id, purchases, total) VALUES ($1, 0, 0)")
            .bind(&id)
            .execute(&mut *connection)
            .await?;
        let settled = sqlx::query(
            "INSERT INTO settled (id, settlement)
             SELECT id, $1 FROM purchases
             WHERE NOT EXISTS (SELECT 1 FROM settled WHERE settled.id = purchases.id)
             ORDER BY number LIMIT $2
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&id)
        .bind(at_most)
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if settled == 0 {
            return Ok(None);
        }
        let (purchases, total): (i64, i64) = sqlx::query_as(
            "SELECT count(*), CAST(sum(price) AS BIGINT) FROM purchases JOIN settled USING (id) WHERE settlement = $1",
        )
        .bind(&id)
        .fetch_one(&mut *connection)
        .await?;
        sqlx::query("UPDATE settlements SET purchases = $1, total = $2 WHERE id = $3")
            .bind(purchases)
            .bind(total)
            .bind(&id)
            .execute(&mut *connection)
            .await?;
        writing.commit().await?;
        Ok(Some(Settlement { purchases, total: Cents(total) }))
    }
}
