//! What the stand-in for a payment provider took.

use super::{Store, StoreError};
use crate::money::Cents;

/// What came of a payment that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is taken now.
    Now,
    /// It was taken before: nothing is taken twice.
    Before,
    /// Its id was used for another amount: nothing is taken.
    OtherAmount,
}

impl Store {
    /// Takes a payment, once per id: a row stands for the money.
    pub async fn take_payment(&self, id: &str, amount: Cents) -> Result<Taken, StoreError> {
        let mut writing = self.write().await?;
        let taken = sqlx::query(
            "INSERT INTO payments (id, amount) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(amount.0)
        .execute(&mut *writing.transaction)
        .await?;
        let before: i64 = sqlx::query_scalar("SELECT amount FROM payments WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *writing.transaction)
            .await?;
        writing.commit().await?;
        Ok(match taken.rows_affected() {
            1 => Taken::Now,
            _ if before == amount.0 => Taken::Before,
            _ => Taken::OtherAmount,
        })
    }
}
