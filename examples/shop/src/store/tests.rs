//! The store on real files, with real processes as owners. `tests/databases.rs` has what several do at the same time,
//! on PostgreSQL too.

use std::process::{Child, Command};

use tempfile::TempDir;

use super::*;
use crate::money::Cents;
use crate::receipts::Receipt;

/// A database of its own, gone with the value.
struct Database {
    folder: TempDir,
}

impl Database {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("sqlite:{}?mode=rwc", self.folder.path().join("shop.db").display())
    }

    async fn open(&self) -> Store {
        Store::open(&self.url()).await.unwrap()
    }

    async fn open_as(&self, process: ProcessIdentity) -> Store {
        Store::open_as(process, &self.url()).await.unwrap()
    }
}

/// Another process that lives until it is dropped.
struct Neighbour(Child);

impl Neighbour {
    fn start() -> Self {
        Self(Command::new("sleep").arg("60").spawn().unwrap())
    }

    fn identity(&self) -> ProcessIdentity {
        ProcessIdentity::of(self.0.id()).unwrap()
    }

    fn kill(mut self) -> ProcessIdentity {
        let identity = self.identity();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        identity
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn with_wallet(store: &Store, balance: i64) {
    store.create_wallet(&Wallet { owner: "ada".into(), balance: Cents(balance) }).await.unwrap();
}

fn coffee(id: Option<&str>) -> Order {
    Order { owner: "ada".into(), item: "coffee".into(), id: id.map(str::to_owned) }
}

fn debited(progress: Progress) -> Purchase {
    match progress {
        Progress::Debited(purchase) => purchase,
        Progress::Recorded(purchase) => panic!("{purchase:?} is already recorded"),
    }
}

async fn balance(store: &Store) -> i64 {
    store.wallet("ada").await.unwrap().balance.0
}

#[tokio::test]
async fn purchase_debits_then_records() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 1_000).await;

    let purchase = debited(store.debit(&coffee(None)).await.unwrap());
    assert_eq!(balance(&store).await, 650);
    assert_eq!(store.audit().await.unwrap(), Audit { debits: 1, purchases: 0, torn: 1 });

    assert!(store.record(&purchase).await.unwrap());
    assert_eq!(store.audit().await.unwrap(), Audit { debits: 1, purchases: 1, torn: 0 });
    assert_eq!(store.purchases("ada").await.unwrap(), [purchase]);
}

#[tokio::test]
async fn recording_twice_does_nothing() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 1_000).await;
    let purchase = debited(store.debit(&coffee(None)).await.unwrap());
    assert!(store.record(&purchase).await.unwrap());
    assert!(!store.record(&purchase).await.unwrap());
    assert_eq!(store.audit().await.unwrap().purchases, 1);
}

#[tokio::test]
async fn insufficient_funds_take_nothing() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 349).await;
    assert!(matches!(store.debit(&coffee(None)).await, Err(StoreError::InsufficientFunds { .. })));
    assert_eq!(balance(&store).await, 349);
    assert_eq!(store.audit().await.unwrap(), Audit { debits: 0, purchases: 0, torn: 0 });
}

#[tokio::test]
async fn unknown_wallets_and_items_are_told_apart() {
    let database = Database::new();
    let store = database.open().await;
    assert!(
        matches!(store.debit(&coffee(None)).await, Err(StoreError::UnknownWallet(owner)) if owner == "ada")
    );
    assert!(matches!(store.wallet("ada").await, Err(StoreError::UnknownWallet(_))));
    assert!(matches!(store.purchases("ada").await, Err(StoreError::UnknownWallet(_))));
    with_wallet(&store, 1_000).await;
    assert!(store.purchases("ada").await.unwrap().is_empty());
    let order = Order { item: "moon".into(), ..coffee(None) };
    assert!(
        matches!(store.debit(&order).await, Err(StoreError::UnknownItem(item)) if item == "moon")
    );
}

#[tokio::test]
async fn a_wallet_is_created_once() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 1_000).await;
    let again = Wallet { owner: "ada".into(), balance: Cents(5) };
    assert!(matches!(store.create_wallet(&again).await, Err(StoreError::WalletExists(_))));
    assert_eq!(balance(&store).await, 1_000);
}

#[tokio::test]
async fn the_same_id_is_debited_once() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 1_000).await;
    let first = debited(store.debit(&coffee(Some("order-1"))).await.unwrap());
    let repeated = debited(store.debit(&coffee(Some("order-1"))).await.unwrap());
    assert_eq!(repeated, first);
    store.record(&first).await.unwrap();
    assert_eq!(store.debit(&coffee(Some("order-1"))).await.unwrap(), Progress::Recorded(first));
    assert_eq!(balance(&store).await, 650);
}

#[tokio::test]
async fn an_order_once_refused_stays_refused() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 0).await;
    for _ in 0..2 {
        let refused = store.debit(&coffee(Some("order-1"))).await;
        assert!(matches!(refused, Err(StoreError::InsufficientFunds { .. })));
    }
}

#[tokio::test]
async fn an_id_cannot_be_used_for_something_else() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 10_000).await;
    store.debit(&coffee(Some("order-1"))).await.unwrap();
    let other = Order { item: "sandwich".into(), ..coffee(Some("order-1")) };
    assert!(matches!(store.debit(&other).await, Err(StoreError::IdTaken(id)) if id == "order-1"));
}

#[tokio::test]
async fn a_dead_process_leaves_torn_purchases_that_are_taken_over_by_one_start() {
    let database = Database::new();
    let neighbour = Neighbour::start();
    let theirs = database.open_as(neighbour.identity()).await;
    with_wallet(&theirs, 10_000).await;
    let torn = debited(theirs.debit(&coffee(None)).await.unwrap());
    let whole = debited(theirs.debit(&coffee(None)).await.unwrap());
    theirs.record(&whole).await.unwrap();
    theirs.mail(&Receipt::of(&whole)).await.unwrap();
    neighbour.kill();

    let (ours, another) = (database.open().await, database.open().await);
    let (first, second) = tokio::join!(ours.recover(), another.recover());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!([first.torn, second.torn].concat(), std::slice::from_ref(&torn));
    assert_eq!([first.owed, second.owed].concat(), []);
    assert!(ours.record(&torn).await.unwrap());
    ours.mail(&Receipt::of(&torn)).await.unwrap();
    assert_eq!(ours.audit().await.unwrap(), Audit { debits: 2, purchases: 2, torn: 0 });
    assert_eq!(balance(&ours).await, 10_000 - 2 * 350);
    assert_eq!(ours.recover().await.unwrap(), Recovery::default());
}

#[tokio::test]
async fn a_living_process_keeps_its_purchases() {
    let database = Database::new();
    let neighbour = Neighbour::start();
    let theirs = database.open_as(neighbour.identity()).await;
    with_wallet(&theirs, 10_000).await;
    let under_way = debited(theirs.debit(&coffee(None)).await.unwrap());

    let ours = database.open().await;
    ours.debit(&coffee(None)).await.unwrap();
    assert_eq!(ours.recover().await.unwrap(), Recovery::default());
    assert_eq!(ours.audit().await.unwrap().torn, 2);
    assert!(theirs.record(&under_way).await.unwrap());
}

#[tokio::test]
async fn a_process_whose_id_was_given_to_another_counts_as_dead() {
    let database = Database::new();
    let neighbour = Neighbour::start();
    let text = neighbour.identity().to_string();
    let (same_process_id, _) = text.rsplit_once('/').unwrap();
    let earlier = format!("{same_process_id}/1").parse().unwrap();
    let theirs = database.open_as(earlier).await;
    with_wallet(&theirs, 10_000).await;
    theirs.debit(&coffee(None)).await.unwrap();
    assert_eq!(database.open().await.recover().await.unwrap().torn.len(), 1);
}

#[tokio::test]
async fn refused_orders_of_a_dead_process_are_left_alone() {
    let database = Database::new();
    let theirs = database.open_as(Neighbour::start().kill()).await;
    with_wallet(&theirs, 0).await;
    theirs.debit(&coffee(None)).await.unwrap_err();
    let ours = database.open().await;
    assert_eq!(ours.recover().await.unwrap(), Recovery::default());
    assert_eq!(ours.audit().await.unwrap(), Audit { debits: 0, purchases: 0, torn: 0 });
}

#[tokio::test]
async fn a_receipt_that_a_dead_process_owed_is_taken_over_by_one_start() {
    let database = Database::new();
    let theirs = database.open_as(Neighbour::start().kill()).await;
    with_wallet(&theirs, 10_000).await;
    let purchase = debited(theirs.debit(&coffee(None)).await.unwrap());
    theirs.record(&purchase).await.unwrap();
    let ours = database.open().await;
    let recovery = ours.recover().await.unwrap();
    assert_eq!(recovery, Recovery { torn: vec![], owed: vec![Receipt::of(&purchase)] });
    assert_eq!(ours.recover().await.unwrap(), Recovery::default());
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let database = Database::new();
    let store = database.open().await;
    with_wallet(&store, 1_000).await;
    store.debit(&coffee(None)).await.unwrap();
    store.close().await;
    assert_eq!(database.open().await.audit().await.unwrap().debits, 1);
}

#[tokio::test]
async fn an_unusable_database_is_named_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.db"), "this is a letter, not a database; ".repeat(50))
        .unwrap();
    let (sqlite, postgres) =
        ("for example sqlite:shop.db?mode=rwc", "for example postgres://user:");
    let nobody = "postgres://ada:s3cret@127.0.0.1:1/shop";
    for (url, shown, example) in [
        (format!("sqlite:{}/missing/shop.db?mode=rwc", folder.path().display()), None, sqlite),
        (format!("sqlite:{}/absent.db", folder.path().display()), None, sqlite),
        (format!("sqlite:{}", folder.path().display()), None, sqlite),
        (format!("sqlite:{}/text.db", folder.path().display()), None, sqlite),
        ("sqlite::memory:".to_owned(), None, sqlite),
        (nobody.to_owned(), Some("postgres://***@127.0.0.1:1/shop"), postgres),
        ("postgres://ada:s3cret@[/shop".to_owned(), Some("postgres://***@[/shop"), postgres),
        ("mysql://ada:s3cret@db/shop".to_owned(), Some("mysql://***@db/shop"), sqlite),
    ] {
        let error = Store::open(&url).await.unwrap_err().to_string();
        assert!(error.contains(shown.unwrap_or(&url)), "{error}");
        assert!(error.contains(example) && error.contains("DATABASE_URL"), "{error}");
        assert!(!error.contains("s3cret") && !error.contains('\n'), "{error}");
    }
}
