//! The routes, asked as a client would.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::router;
use crate::receipts::Receipt;
use crate::shop::Shop;
use crate::store::Store;

/// A shop on a database of its own.
struct OpenShop {
    routes: Router,
    store: Store,
    queue: mpsc::Receiver<Receipt>,
    _folder: TempDir,
}

impl OpenShop {
    async fn new(payment_delay: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("shop.db").display());
        let store = Store::open(&url).await.unwrap();
        let (receipts, queue) = mpsc::channel(10);
        let shop = Shop { store: store.clone(), receipts, payment_delay };
        Self { routes: router(shop), store, queue, _folder: folder }
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        (
            status,
            serde_json::from_slice(&body)
                .unwrap_or_else(|_| panic!("{status}: {text:?} is not JSON")),
        )
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: impl ToString) -> (StatusCode, Value) {
        let request = Request::post(path).header("content-type", "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn with_ada(balance: i64) -> Self {
        let shop = Self::new(Duration::ZERO).await;
        let ada = json!({ "owner": "ada", "balance": balance });
        assert_eq!(shop.post("/wallets", &ada).await, (StatusCode::CREATED, ada));
        shop
    }
}

#[track_caller]
fn refused((status, body): (StatusCode, Value), expected: StatusCode, says: &str) {
    assert_eq!(status, expected, "{body}");
    let error = body["error"].as_str().unwrap_or_else(|| panic!("no error in {body}"));
    assert!(error.contains(says), "{error:?} does not say {says:?}");
}

#[tokio::test]
async fn a_purchase_takes_the_price_and_shows_up_everywhere() {
    let mut shop = OpenShop::with_ada(1_000).await;
    let (status, purchase) =
        shop.post("/purchases", json!({ "owner": "ada", "item": "coffee" })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        (&purchase["owner"], &purchase["item"], &purchase["price"]),
        (&json!("ada"), &json!("coffee"), &json!(350))
    );
    assert_eq!(
        shop.get("/wallets/ada").await,
        (StatusCode::OK, json!({ "owner": "ada", "balance": 650 }))
    );
    assert_eq!(shop.get("/purchases?owner=ada").await, (StatusCode::OK, json!([purchase])));
    assert_eq!(
        shop.get("/audit").await,
        (StatusCode::OK, json!({ "debits": 1, "purchases": 1, "torn": 0 }))
    );
    assert_eq!(shop.queue.recv().await.unwrap().text, "ada bought coffee for 3.50");
}

#[tokio::test]
async fn a_repeated_order_gets_the_same_answer_and_one_receipt() {
    let mut shop = OpenShop::with_ada(1_000).await;
    let order = json!({ "owner": "ada", "item": "coffee", "id": "order-1" });
    let first = shop.post("/purchases", &order).await;
    assert_eq!(first.0, StatusCode::CREATED);
    assert_eq!(first.1["id"], "order-1");
    assert_eq!(shop.post("/purchases", &order).await, first);
    assert_eq!(shop.get("/audit").await.1, json!({ "debits": 1, "purchases": 1, "torn": 0 }));
    shop.queue.recv().await.unwrap();
    assert!(shop.queue.try_recv().is_err());
}

#[tokio::test]
async fn orders_with_one_id_at_the_same_time_get_one_answer() {
    let shop = OpenShop::with_ada(1_000).await;
    let order = json!({ "owner": "ada", "item": "coffee", "id": "order-1" });
    let (one, other) =
        tokio::join!(shop.post("/purchases", &order), shop.post("/purchases", &order));
    assert_eq!(one.0, StatusCode::CREATED);
    assert_eq!(one, other);
    assert_eq!(shop.get("/wallets/ada").await.1["balance"], 650);
}

#[tokio::test]
async fn a_purchase_ends_when_its_buyer_hangs_up() {
    let shop = OpenShop::new(Duration::from_millis(100)).await;
    shop.post("/wallets", json!({ "owner": "ada", "balance": 1_000 })).await;
    {
        let buying = shop.post("/purchases", json!({ "owner": "ada", "item": "coffee" }));
        tokio::pin!(buying);
        while shop.store.audit().await.unwrap().debits == 0 {
            tokio::select! { _ = &mut buying => panic!("answered too early"), () = tokio::task::yield_now() => {} }
        }
    }
    let mut shop = shop;
    shop.queue.recv().await.unwrap();
    assert_eq!(shop.get("/audit").await.1, json!({ "debits": 1, "purchases": 1, "torn": 0 }));
}

#[tokio::test]
async fn too_little_money_is_a_conflict() {
    let shop = OpenShop::with_ada(100).await;
    let order = json!({ "owner": "ada", "item": "coffee" });
    refused(shop.post("/purchases", order).await, StatusCode::CONFLICT, "insufficient funds");
    assert_eq!(shop.get("/wallets/ada").await.1["balance"], 100);
}

#[tokio::test]
async fn what_is_unknown_is_not_found() {
    let shop = OpenShop::with_ada(100).await;
    let not_found = StatusCode::NOT_FOUND;
    refused(
        shop.post("/purchases", json!({ "owner": "bob", "item": "coffee" })).await,
        not_found,
        "bob",
    );
    refused(
        shop.post("/purchases", json!({ "owner": "ada", "item": "moon" })).await,
        not_found,
        "moon",
    );
    refused(shop.get("/wallets/bob").await, not_found, "bob");
    refused(shop.get("/purchases?owner=bob").await, not_found, "bob");
    refused(shop.get("/elsewhere").await, not_found, "nothing here");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_in_json() {
    let shop = OpenShop::with_ada(100).await;
    refused(shop.post("/wallets", "{").await, StatusCode::BAD_REQUEST, "JSON");
    refused(shop.post("/wallets", "{}").await, StatusCode::UNPROCESSABLE_ENTITY, "owner");
    refused(
        shop.post("/purchases", json!({ "owner": 5 })).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "owner",
    );
    refused(shop.get("/purchases").await, StatusCode::BAD_REQUEST, "owner");
    refused(shop.get("/wallets/%FF").await, StatusCode::BAD_REQUEST, "UTF-8");
    let without_type = Request::post("/wallets").body(Body::from("{}")).unwrap();
    refused(shop.ask(without_type).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json");
    let unknown_method = Request::delete("/wallets").body(Body::empty()).unwrap();
    refused(shop.ask(unknown_method).await, StatusCode::METHOD_NOT_ALLOWED, "method");
}

#[tokio::test]
async fn senseless_values_are_refused() {
    let shop = OpenShop::with_ada(100).await;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    refused(
        shop.post("/wallets", json!({ "owner": "", "balance": 1 })).await,
        unprocessable,
        "owner",
    );
    refused(
        shop.post("/wallets", json!({ "owner": "x".repeat(101), "balance": 1 })).await,
        unprocessable,
        "owner",
    );
    refused(
        shop.post("/wallets", json!({ "owner": "bob", "balance": -1 })).await,
        unprocessable,
        "balance",
    );
    refused(
        shop.post("/wallets", json!({ "owner": "ada", "balance": 1 })).await,
        StatusCode::CONFLICT,
        "already",
    );
    refused(
        shop.post("/purchases", json!({ "owner": "ada", "item": "coffee", "id": "" })).await,
        unprocessable,
        "id",
    );
}

#[tokio::test]
async fn items_are_listed_with_their_prices() {
    let shop = OpenShop::new(Duration::ZERO).await;
    let (status, items) = shop.get("/items").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(items[0], json!({ "name": "coffee", "price": 350 }));
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let shop = OpenShop::new(Duration::ZERO).await;
    let request = Request::get("/").body(Body::empty()).unwrap();
    let response = shop.routes.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let page = response.into_body().collect().await.unwrap().to_bytes();
    let page = str::from_utf8(&page).unwrap();
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
}
