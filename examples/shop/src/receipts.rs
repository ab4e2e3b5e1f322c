//! Receipts: handed over by the purchases, mailed by a worker.

use lameduck::Queue;
use tracing::error;

use crate::store::{Purchase, Store};

/// What a buyer is told of a recorded purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The purchase's id: a receipt is mailed once for each.
    pub id: String,
    /// The text that is mailed.
    pub text: String,
}

impl Receipt {
    /// The receipt for that purchase.
    pub fn of(Purchase { id, owner, item, price }: &Purchase) -> Self {
        Self { id: id.clone(), text: format!("{owner} bought {item} for {price}") }
    }
}

/// Mails the receipts that earlier processes still owed, then each one that comes, until the queue ends: in the stop, that is once
/// every purchase has handed its receipt over.
///
/// A row in the table `receipts` stands for the mail. A receipt that fails is logged and stays owed.
pub async fn mail_receipts(store: Store, owed: Vec<Receipt>, mut queue: Queue<Receipt>) {
    for receipt in owed {
        mail(&store, &receipt).await;
    }
    while let Some(receipt) = queue.recv().await {
        mail(&store, &receipt).await;
    }
}

async fn mail(store: &Store, receipt: &Receipt) {
    if let Err(failure) = store.mail(receipt).await {
        error!(id = receipt.id, error = %failure, "the receipt was not mailed; the next start mails it");
    }
}
