//! What is for sale.

use axum::Json;

use crate::catalogue::{ITEMS, Item};

/// `GET /items`
pub(super) async fn list() -> Json<[Item; 6]> {
    Json(ITEMS)
}
