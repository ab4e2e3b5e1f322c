//! What the handlers share, and the purchase itself.

use std::time::Duration;

use lameduck::Worker;
use tracing::error;

use crate::receipts::Receipt;
use crate::store::{Order, Progress, Purchase, Store, StoreError};

/// The service's parts, cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Wallets and purchases.
    pub store: Store,
    /// Where a recorded purchase's receipt goes.
    pub receipts: Worker<Receipt>,
    /// The time between debit and item.
    pub payment_delay: Duration,
}

impl Shop {
    /// Debits the wallet, waits, records the item, and hands the receipt on.
    ///
    /// Not cancel safe: dropped between debit and item, it leaves the purchase torn. So it is run shielded. Repeated
    /// with the same id, at the same time or later, it ends what is left to do and returns the same purchase.
    pub async fn buy(&self, order: Order) -> Result<Purchase, StoreError> {
        let purchase = match self.store.debit(&order).await? {
            Progress::Recorded(purchase) => return Ok(purchase),
            Progress::Debited(purchase) => purchase,
        };
        tokio::time::sleep(self.payment_delay).await;
        if self.store.record(&purchase).await?
            && self.receipts.send(Receipt::of(&purchase)).await.is_err()
        {
            error!(id = purchase.id, "the receipt was not taken; the next start mails it");
        }
        Ok(purchase)
    }
}
