//! What the store promises to several processes at once, on SQLite and on PostgreSQL. `src/store/tests.rs` has what needs
//! no second database.
//!
//! Without PostgreSQL its tests are counted as ignored; on the CI machines (`CI=true`) they fail instead.

mod common;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use common::{Database, Databases};
use lameduck_testkit::{Tool, needing};
use libtest_mimic::{Arguments, Trial};
use shop::money::Cents;
use shop::store::{Order, Progress, Store, StoreError, Wallet};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

type Case = fn(&Runtime, &Database);

const CASES: &[(&str, Case)] = &[
    ("many_may_open_a_new_database_at_once", open_at_once),
    ("concurrent_purchases_cannot_overdraw_also_through_two_stores", overdraw),
    ("orders_with_one_id_at_the_same_time_are_debited_once", one_id),
    ("a_purchase_is_recorded_by_one_of_those_who_try_at_the_same_time", record_at_once),
    ("each_purchase_is_settled_once_also_by_two_at_the_same_time", settle_at_once),
    ("a_name_that_only_one_of_the_databases_could_keep_is_refused_by_both", unusable_names),
    ("a_payment_is_taken_once_whoever_asks_how_often", pay_at_once),
];

fn main() -> ExitCode {
    let cluster = Arc::new(OnceLock::new());
    let run =
        |case: Case, databases: &Databases| case(&Runtime::new().unwrap(), &databases.another());
    let on_postgres = |&(name, case): &(&str, Case)| {
        let cluster = Arc::clone(&cluster);
        let trial = move || run(case, cluster.get_or_init(Databases::postgres));
        needing(&[Tool::Postgres], &format!("on_postgresql::{name}"), trial)
    };
    let on_sqlite = |&(name, case): &(&'static str, Case)| {
        Trial::test(name, move || {
            run(case, &Databases::Sqlite);
            Ok(())
        })
    };
    let trials = CASES.iter().map(on_sqlite).chain(CASES.iter().map(on_postgres)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn two(database: &Database) -> [Store; 2] {
    let open = async || Store::open(database.url()).await.unwrap();
    [open().await, open().await]
}

async fn with_wallet(store: &Store, balance: i64) {
    let wallet = Wallet { owner: "ada".into(), balance: Cents(balance) };
    store.create_wallet(&wallet).await.unwrap();
}

fn coffee(id: Option<&str>) -> Order {
    Order { owner: "ada".into(), item: "coffee".into(), id: id.map(str::to_owned) }
}

/// Does the same so many times at once, by turns through one store and the other.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    times: usize,
    stores: &[Store; 2],
    work: impl Fn(usize, Store) -> F,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for number in 0..times {
        tasks.spawn(work(number, stores[number % 2].clone()));
    }
    tasks.join_all().await
}

fn open_at_once(runtime: &Runtime, database: &Database) {
    runtime.block_on(async {
        let mut openers = JoinSet::new();
        for _ in 0..8 {
            let url = database.url().to_owned();
            openers.spawn(async move { Store::open(&url).await.unwrap().close().await });
        }
        openers.join_all().await;
    });
}

fn overdraw(runtime: &Runtime, database: &Database) {
    runtime.block_on(async {
        let stores = two(database).await;
        with_wallet(&stores[0], 350 * 5).await;
        let debit = |_, store: Store| async move { store.debit(&coffee(None)).await };
        let (mut paid, mut refused) = (0, 0);
        for outcome in at_once(40, &stores, debit).await {
            match outcome {
                Ok(_) => paid += 1,
                Err(StoreError::InsufficientFunds { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let balance = stores[1].wallet("ada").await.unwrap().balance;
        assert_eq!((paid, refused, balance), (5, 35, Cents(0)));
    });
}

fn one_id(runtime: &Runtime, database: &Database) {
    runtime.block_on(async {
        let stores = two(database).await;
        with_wallet(&stores[0], 10_000).await;
        let debit = |_, store: Store| async move { store.debit(&coffee(Some("order-1"))).await };
        for outcome in at_once(20, &stores, debit).await {
            let Progress::Debited(purchase) = outcome.unwrap() else { panic!("nobody recorded") };
            assert_eq!((&*purchase.id, purchase.price), ("order-1", Cents(350)));
        }
        assert_eq!(stores[0].wallet("ada").await.unwrap().balance, Cents(10_000 - 350));
        assert_eq!(stores[0].audit().await.unwrap().debits, 1);
        // For something else it is taken, and nothing is debited for that.
        let other = Order { item: "lamp".into(), ..coffee(Some("order-1")) };
        assert!(matches!(stores[1].debit(&other).await, Err(StoreError::IdTaken(_))));
        assert_eq!(stores[0].wallet("ada").await.unwrap().balance, Cents(10_000 - 350));
    });
}

fn record_at_once(runtime: &Runtime, database: &Database) {
    runtime.block_on(async {
        let stores = two(database).await;
        with_wallet(&stores[0], 10_000).await;
        let Progress::Debited(purchase) = stores[0].debit(&coffee(None)).await.unwrap() else {
            panic!("nobody recorded")
        };
        let record = |_, store: Store| {
            let purchase = purchase.clone();
            async move { store.record(&purchase).await.unwrap() }
        };
        let first = at_once(20, &stores, record).await;
        assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
    });
}

fn settle_at_once(runtime: &Runtime, database: &Database) {
    const PURCHASES: i64 = 60;
    runtime.block_on(async {
        let stores = two(database).await;
        assert_eq!(stores[0].settle(10).await.unwrap(), None);
        with_wallet(&stores[0], 1_000_000).await;
        for _ in 0..PURCHASES {
            match stores[0].debit(&coffee(None)).await.unwrap() {
                Progress::Debited(purchase) => stores[0].record(&purchase).await.unwrap(),
                Progress::Recorded(_) => false,
            };
        }
        assert_eq!(stores[1].unsettled().await.unwrap(), PURCHASES);
        let settle = |_, store: Store| async move {
            let (mut purchases, mut total) = (0, 0);
            while store.unsettled().await.unwrap() > 0 {
                if let Some(settlement) = store.settle(7).await.unwrap() {
                    assert!(settlement.purchases <= 7, "{settlement:?}");
                    purchases += settlement.purchases;
                    total += settlement.total.0;
                }
            }
            (purchases, total)
        };
        let by_each = at_once(4, &stores, settle).await;
        let (purchases, totals): (Vec<i64>, Vec<i64>) = by_each.into_iter().unzip();
        let sums: (i64, i64) = (purchases.iter().sum(), totals.iter().sum());
        assert_eq!(sums, (PURCHASES, PURCHASES * 350));
        assert_eq!(stores[0].settle(10).await.unwrap(), None);
    });
    let kept = database.number("SELECT CAST(sum(total) AS BIGINT) FROM settlements");
    assert_eq!(kept, PURCHASES * 350);
    assert_eq!(database.number("SELECT count(*) FROM settlements WHERE purchases = 0"), 0);
}

fn pay_at_once(runtime: &Runtime, database: &Database) {
    use shop::store::Taken;
    runtime.block_on(async {
        let stores = two(database).await;
        let pay = |_, store: Store| async move { store.take_payment("order-1", Cents(350)).await };
        let taken: Vec<Taken> =
            at_once(20, &stores, pay).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(taken.iter().filter(|taken| **taken == Taken::Now).count(), 1);
        assert_eq!(taken.iter().filter(|taken| **taken == Taken::Before).count(), 19);
        let other = stores[0].take_payment("order-1", Cents(351)).await.unwrap();
        assert_eq!(other, Taken::OtherAmount);
    });
    assert_eq!(database.number("SELECT CAST(sum(amount) AS BIGINT) FROM payments"), 350);
}

fn unusable_names(runtime: &Runtime, database: &Database) {
    runtime.block_on(async {
        let [store, _] = two(database).await;
        with_wallet(&store, 10_000).await;
        let nul = || "a\0b".to_owned();
        let refused = |outcome: Result<(), StoreError>| match outcome {
            Err(StoreError::Unusable(name)) => assert_eq!(name, nul()),
            other => panic!("{other:?}"),
        };
        let wallet = Wallet { owner: nul(), balance: Cents(1) };
        refused(store.create_wallet(&wallet).await);
        refused(store.wallet(&nul()).await.map(drop));
        refused(store.purchases(&nul()).await.map(drop));
        refused(store.debit(&Order { owner: nul(), ..coffee(None) }).await.map(drop));
        refused(store.debit(&coffee(Some(&nul()))).await.map(drop));
        let odd = "\u{1F986} \u{fffd}\u{7f}' OR 1=1; -- \\";
        let wallet = Wallet { owner: odd.to_owned(), balance: Cents(1_000) };
        store.create_wallet(&wallet).await.unwrap();
        assert_eq!(store.wallet(odd).await.unwrap(), wallet);
    });
}
