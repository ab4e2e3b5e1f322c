//! Completing what an earlier process left torn, before the shop serves.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tracing::{info, warn};

use crate::payments::Payments;
use crate::receipts::Receipt;
use crate::shop::complete;
use crate::store::{Recovery, Store};

/// How many purchases are completed at once.
const AT_ONCE: usize = 32;
/// How long all of it may take: the rest of the start has its time too.
const WITHIN: Duration = Duration::from_secs(30);

/// Completes torn purchases, says how many in the log, and returns the receipts that are owed then.
///
/// One that cannot be completed keeps nothing from starting: it stays torn, and the next start tries again.
pub async fn complete_torn(store: &Store, payments: &Payments, recovery: Recovery) -> Vec<Receipt> {
    let Recovery { torn, mut owed } = recovery;
    let (mut completed, all) = (0, torn.len());
    let attempts = stream::iter(torn).map(|purchase| async move {
        let done = complete(store, payments, &purchase).await;
        (purchase, done)
    });
    let mut attempts = std::pin::pin!(attempts.buffer_unordered(AT_ONCE));
    let work = async {
        while let Some((purchase, done)) = attempts.next().await {
            match done {
                Ok(_) => {
                    completed += 1;
                    owed.push(Receipt::of(&purchase));
                }
                Err(failure) => {
                    warn!(id = purchase.id, error = %failure, "a purchase stays torn");
                }
            }
        }
    };
    // What is cut here is counted below.
    let _ = tokio::time::timeout(WITHIN, work).await;
    match all {
        0 => info!("no purchase was left torn"),
        1 if completed == 1 => info!("completed 1 purchase that an earlier process left torn"),
        _ if completed == all => {
            info!("completed {all} purchases that an earlier process left torn");
        }
        _ => warn!(
            "completed {completed} of {all} purchases that an earlier process left torn; the next start tries again"
        ),
    }
    owed
}

#[cfg(test)]
mod tests {
    use lameduck::Close;

    use super::*;
    use crate::money::Cents;
    use crate::payments::Provider;
    use crate::store::{Audit, Order, Progress, Purchase, Wallet};

    async fn torn(store: &Store) -> Purchase {
        let wallet = Wallet { owner: "ada".into(), balance: Cents(1_000) };
        store.create_wallet(&wallet).await.unwrap();
        let order = Order { owner: "ada".into(), item: "coffee".into(), id: None };
        let Progress::Debited(purchase) = store.debit(&order).await.unwrap() else {
            panic!("nobody recorded it")
        };
        purchase
    }

    #[tokio::test]
    async fn what_cannot_be_paid_stays_torn_and_is_paid_by_the_start_after() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("shop.db").display());
        let store = Store::open(&url).await.unwrap();
        let purchase = torn(&store).await;
        let recovery = || Recovery { torn: vec![purchase.clone()], owed: vec![] };

        let provider = Provider::start(store.clone(), Duration::ZERO).await.unwrap();
        let endpoint = provider.endpoint();
        provider.close().await.unwrap();
        let owed = complete_torn(&store, &Payments::new(endpoint), recovery()).await;
        assert_eq!(owed, []);
        assert_eq!(store.audit().await.unwrap(), Audit { debits: 1, purchases: 0, torn: 1 });

        let provider = Provider::start(store.clone(), Duration::ZERO).await.unwrap();
        let payments = Payments::new(provider.endpoint());
        let owed = complete_torn(&store, &payments, recovery()).await;
        assert_eq!(owed, [Receipt::of(&purchase)]);
        assert_eq!(store.audit().await.unwrap(), Audit { debits: 1, purchases: 1, torn: 0 });
    }
}
