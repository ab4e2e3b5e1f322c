//! The routes that every server here has; `benches/go/main.go` has them too.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};

/// `/` answers `OK`; `/sleep` does so after 300 ms; `POST /echo` answers with the body that it got; `/route/0`,
/// `/route/1` and so on answer `OK`, as many as it takes to make `routes` in all.
///
/// Their number matters: `axum::serve` rebuilds the router's tables for each connection.
pub(crate) fn router(routes: usize) -> Router {
    let router = Router::new()
        .route("/", get(async || "OK"))
        .route("/sleep", get(sleep))
        .route("/echo", post(async |body: Bytes| body));
    (0..routes.saturating_sub(3))
        .fold(router, |router, n| router.route(&format!("/route/{n}"), get(async || "OK")))
}

async fn sleep() -> &'static str {
    tokio::time::sleep(Duration::from_millis(300)).await;
    "OK"
}
