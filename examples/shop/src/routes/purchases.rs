//! Purchases over HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lameduck::Lifecycle;
use serde::Deserialize;

use super::Failure;
use super::json_body::JsonBody;
use super::query::Query;
use super::wallets::LONGEST_NAME;
use crate::shop::Shop;
use crate::store::{Order, Purchase};

/// `POST /purchases {owner, item, id?}`
///
/// Shielded: once begun it ends, also when the buyer hangs up. Repeated with its id it gets the same answer.
pub(super) async fn buy(
    State(shop): State<Shop>,
    lifecycle: Lifecycle,
    JsonBody(order): JsonBody<Order>,
) -> Result<(StatusCode, Json<Purchase>), Failure> {
    if let Some(id) = &order.id
        && (id.is_empty() || id.chars().count() > LONGEST_NAME)
    {
        return Err(Failure::invalid(format!(
            "id: expected 1 to {LONGEST_NAME} characters, or none at all"
        )));
    }
    lifecycle.note("waiting for the payment");
    let buying = lifecycle.shield("purchase", async move { shop.buy(order).await });
    let purchase = buying.await.map_err(|interrupted| {
        let unknown = "its outcome is unknown until the shop has started again";
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{interrupted}; {unknown}"))
    })??;
    Ok((StatusCode::CREATED, Json(purchase)))
}

/// Whose purchases are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Whose {
    owner: String,
}

/// `GET /purchases?owner=`
pub(super) async fn list(
    State(shop): State<Shop>,
    Query(Whose { owner }): Query<Whose>,
) -> Result<Json<Vec<Purchase>>, Failure> {
    Ok(Json(shop.store.purchases(&owner).await?))
}
