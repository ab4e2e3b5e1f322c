//! Mailed receipts.

use super::{Store, StoreError};
use crate::receipts::Receipt;

impl Store {
    /// Mails a receipt, once per purchase: a row stands for the mail.
    pub async fn mail(&self, receipt: &Receipt) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query("INSERT INTO receipts (id, text) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(&receipt.id)
            .bind(&receipt.text)
            .execute(&mut *writing.transaction)
            .await?;
        Ok(writing.commit().await?)
    }
}
