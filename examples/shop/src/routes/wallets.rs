//! Wallets over HTTP.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Failure;
use super::json_body::JsonBody;
use crate::money::Cents;
use crate::shop::Shop;
use crate::store::Wallet;

/// The longest name of an owner, and the longest id of a purchase.
pub(super) const LONGEST_NAME: usize = 100;

/// `POST /wallets {owner, balance}`
pub(super) async fn create(
    State(shop): State<Shop>,
    JsonBody(wallet): JsonBody<Wallet>,
) -> Result<(StatusCode, Json<Wallet>), Failure> {
    let length = wallet.owner.chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Err(Failure::invalid(format!(
            "owner: expected 1 to {LONGEST_NAME} characters, got {length}"
        )));
    }
    if wallet.balance < Cents(0) {
        return Err(Failure::invalid("balance: expected an amount in cents, zero or more"));
    }
    shop.store.create_wallet(&wallet).await?;
    Ok((StatusCode::CREATED, Json(wallet)))
}

/// `GET /wallets/{owner}`
pub(super) async fn show(
    State(shop): State<Shop>,
    owner: Result<Path<String>, PathRejection>,
) -> Result<Json<Wallet>, Failure> {
    let Path(owner) =
        owner.map_err(|rejection| Failure::new(rejection.status(), rejection.body_text()))?;
    Ok(Json(shop.store.wallet(&owner).await?))
}
