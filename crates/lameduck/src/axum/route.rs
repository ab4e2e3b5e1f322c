//! The route of a request, for the report: `/wallets/{owner}` instead of `/wallets/alice`.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use http::Request;

use crate::lifecycle::Lifecycle;

/// A layer that has the report name requests by their route: `Router::new().route(..).route_layer(NameRoutes)`.
///
/// It needs `route_layer`, which runs once the route is known. It allocates once per request.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameRoutes;

impl<S> tower_layer::Layer<S> for NameRoutes {
    type Service = Named<S>;

    fn layer(&self, inner: S) -> Named<S> {
        Named { inner }
    }
}

/// The service that [`NameRoutes`] makes.
#[derive(Clone, Debug)]
pub struct Named<S> {
    inner: S,
}

impl<S, B> tower_service::Service<Request<B>> for Named<S>
where
    S: tower_service::Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        if let (Some(route), Some(lifecycle)) =
            (request.extensions().get::<MatchedPath>(), Lifecycle::try_current())
        {
            lifecycle.scope().route(lifecycle.key(), Arc::from(route.as_str()));
        }
        self.inner.call(request)
    }
}
