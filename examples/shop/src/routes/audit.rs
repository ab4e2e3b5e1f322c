//! Whether every debit has its item.

use axum::Json;
use axum::extract::State;

use super::Failure;
use crate::shop::Shop;
use crate::store::Audit;

/// `GET /audit`
pub(super) async fn audit(State(shop): State<Shop>) -> Result<Json<Audit>, Failure> {
    Ok(Json(shop.store.audit().await?))
}
