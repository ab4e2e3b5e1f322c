//! The routes over the real thing: lameduck's server on a port of its own, asked over real connections.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use lameduck::{Budget, Outcome, Queue, Report, Service, Setup, StopHandle};
use lameduck_testkit::{Client, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::router;
use crate::money::Cents;
use crate::payments::{Payments, Provider};
use crate::receipts::Receipt;
use crate::shop::Shop;
use crate::store::{Audit, Store, Taken};

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A shop on a database of its own. Dropped, it stops in order, which must be clean.
struct OpenShop {
    runtime: Runtime,
    serving: Option<JoinHandle<Report>>,
    stop: StopHandle,
    address: SocketAddr,
    store: Store,
    mailed: mpsc::Receiver<Receipt>,
    _folder: TempDir,
}

impl OpenShop {
    fn new(payment_delay: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("shop.db").display());
        let runtime = Runtime::new().unwrap();
        let store = runtime.block_on(Store::open(&url)).unwrap();
        let (mail, mailed) = mpsc::channel();
        let (bound, address) = mpsc::channel();
        let budget =
            Budget { lame_duck: Duration::ZERO, idle_grace: Duration::ZERO, ..Budget::default() };
        let stop = StopHandle::new();
        let shop = store.clone();
        let serving =
            Service::new("shop").budget(budget).serve(&stop, async move |setup: &mut Setup| {
                setup.resource("db", shop.pool());
                let receipts = setup.worker("receipts", 10, move |mut queue: Queue<Receipt>| {
                    let mail = mail.clone();
                    async move {
                        while let Some(receipt) = queue.recv().await {
                            let _ = mail.send(receipt);
                        }
                    }
                });
                let provider = Provider::start(shop.clone(), payment_delay).await?;
                let payments = Payments::new(provider.endpoint());
                let provider = setup.resource("provider", provider);
                let _ = setup.resource("payments", payments.clone()).uses(&provider);
                let routes = router(Shop { store: shop, receipts, payments });
                bound.send(setup.http("public", "127.0.0.1:0", routes).local_addr())?;
                Ok(())
            });
        let serving = Some(runtime.spawn(serving));
        let address = address.recv_timeout(LIMIT).unwrap().expect("it listens on TCP");
        Self { runtime, serving, stop, address, store, mailed, _folder: folder }
    }

    fn with_ada(balance: i64) -> Self {
        let shop = Self::new(Duration::ZERO);
        let ada = json!({ "owner": "ada", "balance": balance });
        assert_eq!(shop.post("/wallets", &ada), (201, ada));
        shop
    }

    fn connect(&self) -> Client {
        Client::connect(self.address).unwrap().limit(LIMIT)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let mut client = self.connect();
        client.get(path).unwrap();
        answer(&mut client)
    }

    fn post(&self, path: &str, body: impl ToString) -> (u16, Value) {
        answer(&mut self.posting(path, body))
    }

    /// A request whose answer nobody has read yet.
    fn posting(&self, path: &str, body: impl ToString) -> Client {
        self.sending(&format!("POST {path}"), "Content-Type: application/json\r\n", body)
    }

    fn sending(&self, what: &str, headers: &str, body: impl ToString) -> Client {
        let (body, mut client) = (body.to_string(), self.connect());
        let length = body.len();
        client
            .send(
                format!(
                    "{what} HTTP/1.1\r\nHost: shop\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
                )
                .as_bytes(),
            )
            .unwrap();
        client
    }

    fn audit(&self) -> Audit {
        self.runtime.block_on(self.store.audit()).unwrap()
    }

    fn receipt(&self) -> Receipt {
        self.mailed.recv_timeout(LIMIT).unwrap()
    }
}

impl Drop for OpenShop {
    fn drop(&mut self) {
        self.stop.stop("the test is over");
        if let Some(serving) = self.serving.take().filter(|_| !std::thread::panicking()) {
            let report = self.runtime.block_on(serving).unwrap();
            assert_eq!(report.outcome, Outcome::Clean, "{report}");
        }
    }
}

fn answer(client: &mut Client) -> (u16, Value) {
    let response = client.read_response().unwrap();
    let text = response.text();
    let value = serde_json::from_str(&text);
    (response.status, value.unwrap_or_else(|_| panic!("{}: {text:?} is no JSON", response.status)))
}

#[track_caller]
fn refused((status, body): (u16, Value), expected: u16, says: &str) {
    assert_eq!(status, expected, "{body}");
    let error = body["error"].as_str().unwrap_or_else(|| panic!("no error in {body}"));
    assert!(error.contains(says), "{error:?} does not say {says:?}");
}

#[test]
fn a_purchase_takes_the_price_and_shows_up_everywhere() {
    let shop = OpenShop::with_ada(1_000);
    let (status, purchase) = shop.post("/purchases", json!({ "owner": "ada", "item": "coffee" }));
    assert_eq!(status, 201);
    assert_eq!(
        (&purchase["owner"], &purchase["item"], &purchase["price"]),
        (&json!("ada"), &json!("coffee"), &json!(350))
    );
    assert_eq!(shop.get("/wallets/ada"), (200, json!({ "owner": "ada", "balance": 650 })));
    assert_eq!(shop.get("/purchases?owner=ada"), (200, json!([purchase])));
    assert_eq!(shop.get("/audit"), (200, json!({ "debits": 1, "purchases": 1, "torn": 0 })));
    assert_eq!(shop.receipt().text, "ada bought coffee for 3.50");
}

#[test]
fn a_repeated_order_gets_the_same_answer_and_one_receipt() {
    let shop = OpenShop::with_ada(1_000);
    let order = json!({ "owner": "ada", "item": "coffee", "id": "order-1" });
    let first = shop.post("/purchases", &order);
    assert_eq!(first.0, 201);
    assert_eq!(first.1["id"], "order-1");
    assert_eq!(shop.post("/purchases", &order), first);
    assert_eq!(shop.get("/audit").1, json!({ "debits": 1, "purchases": 1, "torn": 0 }));
    shop.receipt();
    assert!(shop.mailed.try_recv().is_err());
}

#[test]
fn orders_with_one_id_at_the_same_time_get_one_answer() {
    let shop = OpenShop::with_ada(1_000);
    let order = json!({ "owner": "ada", "item": "coffee", "id": "order-1" });
    let (mut one, mut other) =
        (shop.posting("/purchases", &order), shop.posting("/purchases", &order));
    let (one, other) = (answer(&mut one), answer(&mut other));
    assert_eq!(one.0, 201);
    assert_eq!(one, other);
    assert_eq!(shop.get("/wallets/ada").1["balance"], 650);
}

#[test]
fn a_purchase_ends_when_its_buyer_hangs_up() {
    let shop = OpenShop::new(Duration::from_millis(100));
    shop.post("/wallets", json!({ "owner": "ada", "balance": 1_000 }));
    let buyer = shop.posting("/purchases", json!({ "owner": "ada", "item": "coffee" }));
    assert!(eventually(LIMIT, || shop.audit().debits == 1), "never debited");
    assert_eq!(shop.audit().purchases, 0, "recorded too early");
    buyer.reset();
    assert_eq!(shop.receipt().text, "ada bought coffee for 3.50");
    assert_eq!(shop.audit(), Audit { debits: 1, purchases: 1, torn: 0 });
}

#[test]
fn a_buyer_is_told_when_the_wallet_is_debited_and_the_item_not_recorded() {
    let shop = OpenShop::new(Duration::from_millis(100));
    shop.post("/wallets", json!({ "owner": "ada", "balance": 1_000 }));
    let order = json!({ "owner": "ada", "item": "coffee", "id": "order-1" });
    let mut buyer = shop.posting("/purchases", &order);
    assert!(eventually(LIMIT, || shop.audit().debits == 1), "never debited");
    let rename = |from, to| {
        let statement = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
        shop.runtime.block_on(sqlx::query(statement).execute(&shop.store.pool())).unwrap();
    };
    rename("purchases", "elsewhere");
    refused(answer(&mut buyer), 500, "repeat the order with the id \"order-1\"");
    rename("elsewhere", "purchases");
    assert_eq!(shop.audit(), Audit { debits: 1, purchases: 0, torn: 1 });
    assert_eq!(shop.post("/purchases", &order).0, 201);
    assert_eq!(shop.audit(), Audit { debits: 1, purchases: 1, torn: 0 });
}

#[test]
fn a_buyer_is_told_when_the_provider_refuses_and_the_wallet_is_debited() {
    let shop = OpenShop::with_ada(1_000);
    let other = shop.store.take_payment("order-1", Cents(1));
    assert_eq!(shop.runtime.block_on(other).unwrap(), Taken::Now);
    let order = json!({ "owner": "ada", "item": "coffee", "id": "order-1" });
    let answer = shop.post("/purchases", &order);
    let (bad_gateway, says) = (502, "repeat the order with the id \"order-1\"");
    refused(answer, bad_gateway, says);
    assert_eq!(shop.audit(), Audit { debits: 1, purchases: 0, torn: 1 });
}

#[test]
fn the_status_names_the_phase_and_each_task() {
    let shop = OpenShop::new(Duration::ZERO);
    let (status, body) = shop.get("/status");
    assert_eq!((status, &body["phase"], &body["in_flight"]), (200, &json!("ready"), &json!(1)));
    let tasks = body["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 1, "{body}");
    let receipts = [&tasks[0]["name"], &tasks[0]["kind"], &tasks[0]["state"]];
    assert_eq!(receipts, ["receipts", "worker", "running"]);
}

#[test]
fn the_phases_are_told_until_the_drain_which_ends_the_stream() {
    let shop = OpenShop::new(Duration::ZERO);
    let mut page = shop.connect();
    page.get("/phases").unwrap();
    // It has begun: the stream itself, and the question.
    assert!(eventually(LIMIT, || shop.get("/status").1["in_flight"] == 2));
    shop.stop.stop("the test says so");
    let response = page.read_response().unwrap();
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let told = "event: phase\ndata: ready\n\nevent: phase\ndata: draining\n\n";
    assert_eq!(response.text(), told);
}

#[test]
fn too_little_money_is_a_conflict() {
    let shop = OpenShop::with_ada(100);
    let order = json!({ "owner": "ada", "item": "coffee" });
    refused(shop.post("/purchases", order), 409, "insufficient funds");
    assert_eq!(shop.get("/wallets/ada").1["balance"], 100);
}

#[test]
fn what_is_unknown_is_not_found() {
    let shop = OpenShop::with_ada(100);
    let not_found = 404;
    refused(shop.post("/purchases", json!({ "owner": "bob", "item": "coffee" })), not_found, "bob");
    refused(shop.post("/purchases", json!({ "owner": "ada", "item": "moon" })), not_found, "moon");
    refused(shop.get("/wallets/bob"), not_found, "bob");
    refused(shop.get("/purchases?owner=bob"), not_found, "bob");
    refused(shop.get("/elsewhere"), not_found, "nothing here");
}

#[test]
fn what_cannot_be_read_is_said_in_json() {
    let shop = OpenShop::with_ada(100);
    refused(shop.post("/wallets", "{"), 400, "JSON");
    refused(shop.post("/wallets", "{}"), 422, "owner");
    refused(shop.post("/purchases", json!({ "owner": 5 })), 422, "owner");
    refused(shop.get("/purchases"), 400, "owner");
    refused(shop.get("/wallets/%FF"), 400, "UTF-8");
    let mut without_type = shop.sending("POST /wallets", "", "{}");
    refused(answer(&mut without_type), 415, "application/json");
    let mut unknown_method = shop.sending("DELETE /wallets", "", "");
    refused(answer(&mut unknown_method), 405, "method");
}

#[test]
fn senseless_values_are_refused() {
    let shop = OpenShop::with_ada(100);
    let unprocessable = 422;
    refused(shop.post("/wallets", json!({ "owner": "", "balance": 1 })), unprocessable, "owner");
    refused(
        shop.post("/wallets", json!({ "owner": "x".repeat(101), "balance": 1 })),
        unprocessable,
        "owner",
    );
    refused(
        shop.post("/wallets", json!({ "owner": "bob", "balance": -1 })),
        unprocessable,
        "balance",
    );
    refused(shop.post("/wallets", json!({ "owner": "ada", "balance": 1 })), 409, "already");
    refused(
        shop.post("/purchases", json!({ "owner": "ada", "item": "coffee", "id": "" })),
        unprocessable,
        "id",
    );
}

#[test]
fn items_are_listed_with_their_prices() {
    let shop = OpenShop::new(Duration::ZERO);
    let (status, items) = shop.get("/items");
    assert_eq!(status, 200);
    assert_eq!(items[0], json!({ "name": "coffee", "price": 350 }));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let shop = OpenShop::new(Duration::ZERO);
    let mut client = shop.connect();
    client.get("/").unwrap();
    let response = client.read_response().unwrap();
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    let page = response.text();
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
}
