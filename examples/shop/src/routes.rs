//! The shop over HTTP. Every failure is `{"error": "…"}`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use lameduck::axum::NameRoutes;

use crate::shop::Shop;

mod audit;
mod failure;
mod items;
mod json_body;
mod page;
mod purchases;
mod query;
mod status;
#[cfg(test)]
mod tests;
mod wallets;

pub use failure::Failure;

/// Every route of the shop, named in the stop report as it is written here.
pub fn router(shop: Shop) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/wallets", post(wallets::create))
        .route("/wallets/{owner}", get(wallets::show))
        .route("/items", get(items::list))
        .route("/purchases", post(purchases::buy).get(purchases::list))
        .route("/audit", get(audit::audit))
        .route("/status", get(status::status))
        .route("/phases", get(status::phases))
        .route_layer(NameRoutes)
        .fallback(async || {
            Failure::new(StatusCode::NOT_FOUND, "there is nothing here; GET / shows the shop")
        })
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this address doesn't take that method")
        })
        .with_state(shop)
}
