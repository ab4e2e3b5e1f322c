//! The page for a person, complete in itself.

use axum::http::header;
use axum::response::{Html, IntoResponse};

/// Nothing but the page itself, and the shop's own answers.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// `GET /`
pub(super) async fn page() -> impl IntoResponse {
    (
        [(header::CACHE_CONTROL, "no-cache"), (header::CONTENT_SECURITY_POLICY, POLICY)],
        Html(include_str!("../page.html")),
    )
}
