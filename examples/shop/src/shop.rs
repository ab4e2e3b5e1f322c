//! What the handlers share, and the purchase itself.

use lameduck::Worker;
use tracing::error;

use crate::buy_error::BuyError;
use crate::payments::Payments;
use crate::receipts::Receipt;
use crate::store::{Order, Progress, Purchase, Store};

/// The service's parts, cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Wallets and purchases.
    pub store: Store,
    /// Where a recorded purchase's receipt goes.
    pub receipts: Worker<Receipt>,
    /// Who takes the money.
    pub payments: Payments,
}

impl Shop {
    /// Debits the wallet, pays the provider, records the item, and hands the receipt on.
    ///
    /// Not cancel safe: dropped between debit and item, it leaves the purchase torn. So it is run shielded. Repeated
    /// with the same id, at the same time or later, it ends what is left to do and returns the same purchase.
    pub async fn buy(&self, order: Order) -> Result<Purchase, BuyError> {
        let purchase = match self.store.debit(&order).await? {
            Progress::Recorded(purchase) => return Ok(purchase),
            Progress::Debited(purchase) => purchase,
        };
        if complete(&self.store, &self.payments, &purchase).await?
            && self.receipts.send(Receipt::of(&purchase)).await.is_err()
        {
            error!(id = purchase.id, "the receipt was not taken; the next start mails it");
        }
        Ok(purchase)
    }
}

/// What is left of a debited purchase: pays the provider and records the item. Says whether it was not recorded before.
pub async fn complete(
    store: &Store,
    payments: &Payments,
    purchase: &Purchase,
) -> Result<bool, BuyError> {
    let unpaid = |source| BuyError::Unpaid { id: purchase.id.clone(), source };
    payments.pay(purchase).await.map_err(unpaid)?;
    Ok(store.record(purchase).await?)
}
