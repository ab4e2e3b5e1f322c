//! The lifecycle as an argument of a handler.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Response, StatusCode};

use crate::lifecycle::Lifecycle;

/// The answer to a request that is served by something else than lameduck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotServed;

impl axum::response::IntoResponse for NotServed {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(axum::body::Body::from(
            "this handler takes a lameduck::Lifecycle, but lameduck does not serve it\n",
        ));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Lifecycle {
    type Rejection = NotServed;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Lifecycle, NotServed> {
        Lifecycle::try_current().ok_or(NotServed)
    }
}
