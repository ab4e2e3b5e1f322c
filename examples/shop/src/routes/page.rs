//! The page for a person, complete in itself.

use axum::http::header;
use axum::response::{Html, IntoResponse};

/// `GET /`
pub(super) async fn page() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-cache")], Html(include_str!("../page.html")))
}
