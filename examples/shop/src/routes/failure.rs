//! What a client is told when something is not done.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::error;

use crate::buy_error::BuyError;
use crate::store::StoreError;

/// A status and `{"error": "…"}`.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    /// A failure that says `message`.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A request that was understood and makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }
}

impl From<StoreError> for Failure {
    fn from(failure: StoreError) -> Self {
        let status = match &failure {
            StoreError::UnknownWallet(_) | StoreError::UnknownItem(_) => StatusCode::NOT_FOUND,
            StoreError::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            StoreError::WalletExists(_)
            | StoreError::InsufficientFunds { .. }
            | StoreError::IdTaken(_) => StatusCode::CONFLICT,
            StoreError::Unrecorded { .. } => {
                error!(error = %failure, "a purchase is torn");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            StoreError::Database(_) => {
                error!(error = %failure, "a request failed");
                return if failure.is_busy() {
                    Self::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the database is busy; try again in a moment",
                    )
                } else {
                    Self::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "the database failed; the shop's log says why",
                    )
                };
            }
        };
        Self::new(status, failure.to_string())
    }
}

impl From<BuyError> for Failure {
    fn from(failure: BuyError) -> Self {
        match failure {
            BuyError::Store(failure) => failure.into(),
            BuyError::Unpaid { .. } => {
                error!(error = %failure, "a purchase is torn");
                Self::new(StatusCode::BAD_GATEWAY, failure.to_string())
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.message }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
