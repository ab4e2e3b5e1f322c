//! Between hyper and the user's service: each request becomes a record, and whatever happens to it ends in a
//! whole answer wherever one is still possible.

use std::error::Error as StdError;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;

use super::late::{self, Asked, Why};
#[cfg(feature = "http2")]
use super::streams;
use super::{Body, InFlight, ResponseBody};
use crate::connections::{Ending, Mode, Record, state};
use crate::lifecycle::{CURRENT, Lifecycle};

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// What serves the requests of one connection.
pub(super) struct Serve<S> {
    service: S,
    record: Arc<Record>,
}

impl<S> Serve<S> {
    pub(super) fn new(service: S, record: Arc<Record>) -> Serve<S> {
        Serve { service, record }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Serve<S>
where
    S: hyper::service::Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = BoxError;
    type Future = Handling<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let record = &self.record;
        let (method, path) = (request.method(), request.uri().path_and_query());
        let has_body = !request.body().is_end_stream();
        let asked = Asked::new(method, request.headers());
        let traits = Traits {
            asked,
            head: method == Method::HEAD,
            connect: method == Method::CONNECT,
            http10: request.version() <= Version::HTTP_10,
        };
        let (key, lost) = match record.state.has(state::HTTP2) {
            #[cfg(feature = "http2")]
            true => (record.begin_stream(method, path, asked.grpc), false),
            _ => {
                let flags = if has_body { state::BODY_OPEN } else { 0 };
                (0, !record.begin(method, path, flags))
            }
        };
        let watch = has_body.then(|| (Arc::clone(record), key));
        let request = request.map(|body| Body::new(body, watch));
        let lifecycle = Lifecycle::new(Arc::clone(record) as _, key);
        let handler = CURRENT.sync_scope(lifecycle.clone(), || {
            // A service may panic before it returns its future.
            std::panic::catch_unwind(AssertUnwindSafe(|| self.service.call(request)))
        });
        let in_flight = InFlight::new(Arc::clone(record), key);
        let (handler, panicked) = match handler {
            Ok(handler) => (Some(CURRENT.scope(lifecycle, handler)), None),
            Err(panic) => (None, Some(crate::panic::message(&*panic))),
        };
        // Last, so that nothing that the service does comes between this and the task.
        #[cfg(feature = "http2")]
        streams::begun(key);
        Handling { handler, in_flight: Some(in_flight), traits, seen: false, lost, panicked }
    }
}

/// What is known of a request beforehand.
#[derive(Clone, Copy, Debug)]
struct Traits {
    asked: Asked,
    head: bool,
    connect: bool,
    http10: bool,
}

pin_project! {
    /// One request with its handler.
    pub(super) struct Handling<F> {
        #[pin]
        handler: Option<TaskLocalFuture<Lifecycle, F>>,
        in_flight: Option<InFlight>,
        traits: Traits,
        seen: bool,
        lost: bool,
        panicked: Option<String>,
    }
}

impl<F, B, E> Future for Handling<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(guard) = this.in_flight.as_ref() else {
            return Poll::Ready(Err("the request is over".into()));
        };
        if *this.lost {
            return Poll::Ready(Err("answered by the supervisor".into()));
        }
        let (record, key) = (Arc::clone(guard.record()), guard.key());
        let over = || record.is_over(key);
        let outcome = if !*this.seen && over() {
            if key != 0 {
                // HTTP/2 says by itself that a stream was not processed (RFC 9113, section 8.7).
                return Poll::Ready(Err(Box::new(refused_stream())));
            }
            None
        } else {
            *this.seen = true;
            match poll_handler(this.handler.as_mut(), this.panicked, cx) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending if over() => None,
                Poll::Pending => return Poll::Pending,
            }
        };
        // The handler's own drop runs here, not when the connection gets round to it.
        this.handler.set(None);
        let Some(guard) = this.in_flight.take() else {
            return Poll::Ready(Err("the request is over".into()));
        };
        Poll::Ready(match outcome {
            Some(Ok(response)) => respond(response, guard, *this.traits),
            Some(Err(reason)) => {
                match reason {
                    Reason::Panicked(message) => guard.note_panic("handler", &message),
                    Reason::Error(error) => {
                        tracing::error!(target: "lameduck", "a service returned an error: {error}");
                    }
                }
                answer(late::failed(), guard, Ending::Completed, 0)
            }
            None if record.is_silent(key) => {
                answer(late::body_timeout(), guard, Ending::Completed, state::ANSWERED)
            }
            None => {
                let asked = this.traits.asked;
                let why = match record.server().mode() {
                    Mode::Cut => Why::Stopping,
                    Mode::Serving | Mode::Goodbye | Mode::Draining => Why::TooLong,
                };
                let response = late::unavailable(asked, *this.seen, why);
                let repeatable = !*this.seen || asked.idempotent;
                let ending = if repeatable { Ending::Answered503 } else { Ending::Interrupted };
                answer(response, guard, ending, state::ANSWERED)
            }
        })
    }
}

/// Why a handler gave no response.
enum Reason {
    Panicked(String),
    Error(BoxError),
}

fn poll_handler<F, B, E>(
    handler: Pin<&mut Option<TaskLocalFuture<Lifecycle, F>>>,
    panicked: &mut Option<String>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<B>, Reason>>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    let Some(handler) = handler.as_pin_mut() else {
        let message = panicked.take().unwrap_or_default();
        return Poll::Ready(Err(Reason::Panicked(message)));
    };
    match std::panic::catch_unwind(AssertUnwindSafe(|| handler.poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Ok(response))) => Poll::Ready(Ok(response)),
        Ok(Poll::Ready(Err(error))) => Poll::Ready(Err(Reason::Error(error.into()))),
        Err(panic) => Poll::Ready(Err(Reason::Panicked(crate::panic::message(&*panic)))),
    }
}

/// The handler's response, made part of the connection's life.
fn respond<B>(
    response: Response<B>,
    guard: InFlight,
    traits: Traits,
) -> Result<Response<ResponseBody<B>>, BoxError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let http1 = guard.key() == 0;
    let mut response = response;
    let status = response.status();
    let upgrade =
        status == StatusCode::SWITCHING_PROTOCOLS || (traits.connect && status.is_success());
    let record = Arc::clone(guard.record());
    if upgrade && http1 {
        if !record.claim(0, state::UPGRADED) {
            return Err("answered by the supervisor".into());
        }
        guard.upgraded();
        return Ok(response.map(ResponseBody::of_upgrade));
    }
    #[cfg(feature = "http2")]
    if upgrade {
        record.upgrade_stream(guard.key());
        streams::upgraded(guard);
        return Ok(response.map(ResponseBody::of_upgrade));
    }
    let mut flags = state::DIRTY;
    if http1 {
        if record.server().mode() >= Mode::Goodbye {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let measured = response.headers().contains_key(CONTENT_LENGTH)
            || response.body().size_hint().exact().is_some();
        if traits.http10 && !measured {
            flags |= state::ENDS_BY_CLOSE;
        }
    }
    if !record.claim(guard.key(), flags) {
        return Err("answered by the supervisor".into());
    }
    let bodiless =
        traits.head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    Ok(response.map(|body| ResponseBody::of_handler(body, guard, bodiless)))
}

/// An answer of our own.
fn answer<B>(
    mut response: Response<Bytes>,
    mut guard: InFlight,
    ending: Ending,
    flags: u32,
) -> Result<Response<ResponseBody<B>>, BoxError> {
    let (record, key) = (Arc::clone(guard.record()), guard.key());
    if key == 0 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if !record.claim(key, flags | state::DIRTY) {
        return Err("answered by the supervisor".into());
    }
    guard.will_end(ending);
    Ok(response.map(|bytes| ResponseBody::of_ours(bytes, guard)))
}

#[cfg(feature = "http2")]
fn refused_stream() -> h2::Error {
    h2::Error::from(h2::Reason::REFUSED_STREAM)
}

#[cfg(not(feature = "http2"))]
fn refused_stream() -> std::io::Error {
    std::io::Error::other("refused")
}
