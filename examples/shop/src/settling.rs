//! Settling, by a timer: recorded purchases are added up, a batch a transaction.

use lameduck::Lifecycle;
use tracing::info;

use crate::store::{Store, StoreError};

/// How many purchases are settled in one transaction.
const BATCH: i64 = 500;

/// Settles all that is recorded, and says how far it is. Once the stop drains it ends after the batch in hand; the
/// rest is settled by the next run, wherever that is.
pub async fn settle(store: Store) -> Result<(), StoreError> {
    let life = Lifecycle::try_current();
    let of = store.unsettled().await?;
    let mut done = 0;
    while done < of {
        if life.as_ref().is_some_and(Lifecycle::is_draining) {
            if let Some(life) = &life {
                life.note("stopped in order; the next start settles the rest");
            }
            break;
        }
        let Some(settlement) = store.settle(BATCH).await? else { break };
        done += settlement.purchases;
        if let Some(life) = &life {
            life.progress(done.unsigned_abs(), of.max(done).unsigned_abs());
        }
        info!("settled {} purchases for {}", settlement.purchases, settlement.total);
    }
    Ok(())
}
