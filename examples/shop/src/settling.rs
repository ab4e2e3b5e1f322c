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
        info!(purchases = settlement.purchases, total = %settlement.total, "settled");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lameduck::{Budget, Outcome, Service, Setup, StopHandle};
    use tokio::task::JoinSet;
    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// More than a batch of recorded purchases.
    const PURCHASES: &str = "
        INSERT INTO wallets (owner, balance) VALUES ('ada', 0);
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200)
            INSERT INTO intents SELECT 'order-' || n, 'ada', 'coffee', 350, 'boot/1/1', 0 FROM numbers;
        INSERT INTO debits SELECT id, owner, price FROM intents;
        INSERT INTO purchases (id, owner, item, price) SELECT id, owner, item, price FROM intents;
    ";

    /// 1. A run is at its first batch, waiting for a writer, when the stop begins.
    /// 2. The writer goes; the batch in hand is settled, the next one is not begun.
    /// 3. The report says where it stopped. The next run settles the rest, and nothing twice.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_run_ends_after_the_batch_in_hand_when_the_shop_drains() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("shop.db").display());
        let store = Store::open(&url).await.unwrap();
        sqlx::raw_sql(PURCHASES).execute(&store.pool()).await.unwrap();
        let writer = store.pool().begin_with("BEGIN IMMEDIATE").await.unwrap();

        let stop = StopHandle::new();
        let budget = Budget { lame_duck: Duration::ZERO, ..Budget::default() };
        let settling = store.clone();
        let (phases, life) = tokio::sync::oneshot::channel();
        let serving =
            Service::new("shop").budget(budget).serve(&stop, async move |shop: &mut Setup| {
                let _ = phases.send(shop.lifecycle());
                let _ = shop.every("settle", LIMIT * 10, move || settle(settling.clone()));
                Ok(())
            });
        let mut serving: JoinSet<_> = [serving].into_iter().collect();
        let life = timeout(LIMIT, life).await.unwrap().unwrap();
        // It has counted them, and waits for its turn to write: with a connection beside the writer's.
        let pool = store.pool();
        let mut waiting = 0;
        let waits = async {
            while waiting < 20 {
                let held = pool.size() as usize - pool.num_idle();
                waiting = if held == 2 { waiting + 1 } else { 0 };
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, waits).await.unwrap();
        stop.stop("the test says so");
        timeout(LIMIT, life.draining()).await.unwrap();
        writer.rollback().await.unwrap();

        let report = timeout(LIMIT, serving.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(report.outcome, Outcome::Clean, "{report}");
        let settle_part = report.parts.iter().find(|part| part.name == "settle").unwrap();
        assert_eq!(
            settle_part.detail.as_deref(),
            Some("500 of 1200, stopped in order; the next start settles the rest")
        );
        assert_eq!(store.unsettled().await.unwrap(), 700);
        settle(store.clone()).await.unwrap();
        assert_eq!(store.unsettled().await.unwrap(), 0);
    }
}
