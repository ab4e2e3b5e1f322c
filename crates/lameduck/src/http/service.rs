//! Between hyper and the user's service: each request becomes a record, and whatever happens to it ends in a
//! whole answer wherever one is still possible.

#[cfg(feature = "http2")]
use std::cell::RefCell;
use std::error::Error as StdError;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::late::{self, Asked, Why};
#[cfg(feature = "http2")]
use super::streams;
use super::{Body, InFlight, ResponseBody};
use crate::connections::{Ending, Mode, Record, state};
#[cfg(feature = "http2")]
use crate::lifecycle::{Entered, Lifecycle};

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// What serves the requests of one connection. Which protocol that speaks is part of the type: to ask for it
/// with each request shows.
pub(super) struct Serve<S, const HTTP2: bool> {
    service: S,
    record: Arc<Record>,
    /// HTTP/2: what is called. One that panicked is dropped: the connection goes on with another.
    #[cfg(feature = "http2")]
    streams: RefCell<Option<S>>,
}

impl<S, const HTTP2: bool> Serve<S, HTTP2> {
    pub(super) fn new(service: S, record: Arc<Record>) -> Serve<S, HTTP2> {
        Serve {
            service,
            record,
            #[cfg(feature = "http2")]
            streams: RefCell::new(None),
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Serve<S, false>
where
    S: hyper::service::Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = BoxError;
    type Future = Handling<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let record = &self.record;
        // Taken apart before anything else: a request that is looked at and then taken apart is copied once more.
        let (head, body) = request.into_parts();
        let traits = Traits::of(&head);
        let has_body = !body.is_end_stream();
        let mut flags = if has_body { state::BODY_OPEN } else { 0 };
        // A connection that has had several requests may have many more, and looking for a header costs more than all else
        // here.
        if record.begun() == 0 && asks_to_close(&head) {
            flags |= state::LAST;
        }
        let lost = !record.begin(&head.method, head.uri.path_and_query(), flags);
        let watch = has_body.then(|| (Arc::clone(record), 0));
        let body = Body::new(body, watch);
        // Should the service panic before it returns its future, the connection sees to it: to catch that here would move
        // the request twice more. With nothing to tidy up then, and nothing between this and the call, the future is made
        // where it stays.
        Handling {
            handler: Some(self.service.call(Request::from_parts(head, body))),
            in_flight: Some(InFlight::new(Arc::clone(record), 0)),
            traits,
            seen: false,
            lost,
            panicked: None,
        }
    }
}

#[cfg(feature = "http2")]
impl<S, B> hyper::service::Service<Request<Incoming>> for Serve<S, true>
where
    S: hyper::service::Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = BoxError;
    type Future = Handling<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let record = &self.record;
        let (head, body) = request.into_parts();
        let traits = Traits::of(&head);
        let (method, path) = (&head.method, head.uri.path_and_query());
        // Looking for a header costs more than all else here.
        let grpc = method == Method::POST && late::is_grpc(&head.headers);
        let key = record.begin_stream(method, path, grpc);
        let watch = (!body.is_end_stream()).then(|| (Arc::clone(record), key));
        let request = Request::from_parts(head, Body::new(body, watch));
        let in_flight = Some(InFlight::new(Arc::clone(record), key));
        let mut handling =
            Handling { handler: None, in_flight, traits, seen: false, lost: false, panicked: None };
        let mut lifecycle = Some(Lifecycle::new(Arc::clone(record) as _, key));
        let entered = Entered::new(&mut lifecycle);
        let mut service = self.streams.borrow_mut();
        let called = catch_unwind(AssertUnwindSafe(|| {
            let service = service.get_or_insert_with(|| self.service.clone());
            handling.handler = Some(service.call(request));
        }));
        if let Err(panic) = called {
            // With all that it may hold.
            *service = None;
            handling.panicked = Some(crate::panic::message(&*panic).into());
        }
        drop(entered);
        // Last, so that nothing that the service does comes between this and the task.
        streams::begun(Arc::clone(record), key, lifecycle);
        handling
    }
}

/// Whether a request says that it is the last of its connection, in the usual way (RFC 9112, section 9.6, and section 9.3
/// for HTTP/1.0). Where it says so in another, the response goes out before the end of the stream, and that is all.
fn asks_to_close(head: &Parts) -> bool {
    // Of the few headers that most requests have, a walk costs less than the hash of one name.
    match head.headers.iter().find(|(name, _)| **name == CONNECTION) {
        Some((_, options)) => options.as_bytes().eq_ignore_ascii_case(b"close"),
        None => head.version <= Version::HTTP_10,
    }
}

/// What is known of a request beforehand.
#[derive(Clone, Copy, Debug)]
struct Traits {
    head: bool,
    connect: bool,
    http10: bool,
}

impl Traits {
    fn of(head: &Parts) -> Traits {
        Traits {
            head: head.method == Method::HEAD,
            connect: head.method == Method::CONNECT,
            http10: head.version <= Version::HTTP_10,
        }
    }
}

pin_project! {
    /// One request with its handler. Whoever polls and drops it has entered its [`Lifecycle`].
    pub(super) struct Handling<F> {
        #[pin]
        handler: Option<F>,
        in_flight: Option<InFlight>,
        traits: Traits,
        seen: bool,
        lost: bool,
        panicked: Option<Box<str>>,
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
        if !*this.seen && guard.is_over() {
            if guard.key() != 0 {
                // HTTP/2 says by itself that a stream was not processed (RFC 9113, section 8.7).
                return Poll::Ready(Err(Box::new(refused_stream())));
            }
            let Some(guard) = this.in_flight.take() else { return Poll::Pending };
            return Poll::Ready(give_up(false, guard));
        }
        *this.seen = true;
        let handler = this.handler.as_mut().as_pin_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| handler.map(|handler| handler.poll(cx))));
        if matches!(polled, Ok(Some(Poll::Pending))) && !guard.is_over() {
            return Poll::Pending;
        }
        // The handler's own drop runs here, not when the connection gets round to it.
        this.handler.set(None);
        let Some(guard) = this.in_flight.take() else {
            return Poll::Ready(Err("the request is over".into()));
        };
        Poll::Ready(match polled {
            Ok(Some(Poll::Ready(Ok(response)))) => respond(response, guard, *this.traits),
            Ok(Some(Poll::Ready(Err(error)))) => fail(Reason::Error(error.into()), guard),
            Ok(Some(Poll::Pending)) => give_up(true, guard),
            Ok(None) => fail(Reason::Panicked(this.panicked.take().unwrap_or_default()), guard),
            Err(panic) => fail(Reason::Panicked(crate::panic::message(&*panic).into()), guard),
        })
    }
}

/// A handler gave no response.
#[cold]
fn fail<B>(reason: Reason, guard: InFlight) -> Result<Response<ResponseBody<B>>, BoxError> {
    match reason {
        Reason::Panicked(message) => guard.note_panic("handler", &message),
        Reason::Error(error) => {
            tracing::error!(target: "lameduck", "a service returned an error: {error}");
        }
    }
    answer(late::failed(), guard, Ending::Completed, 0)
}

/// The time of a request is over; `seen`: its handler had begun.
#[cold]
fn give_up<B>(seen: bool, guard: InFlight) -> Result<Response<ResponseBody<B>>, BoxError> {
    if guard.record().is_silent(guard.key()) {
        return answer(late::body_timeout(), guard, Ending::Completed, state::ANSWERED);
    }
    let why = match guard.record().server().mode() {
        Mode::Cut => Why::Stopping,
        Mode::Serving | Mode::Goodbye | Mode::Draining => Why::TooLong,
        #[cfg(feature = "restart")]
        Mode::Passing | Mode::Paused => Why::TooLong,
    };
    let (idempotent, grpc) = guard.record().asks(guard.key());
    let response = late::unavailable(Asked { idempotent, grpc }, seen, why);
    let repeatable = !seen || idempotent;
    let ending = if repeatable { Ending::Answered503 } else { Ending::Interrupted };
    answer(response, guard, ending, state::ANSWERED)
}

/// Why a handler gave no response.
enum Reason {
    Panicked(Box<str>),
    Error(BoxError),
}

/// The handler's response, made part of the connection's life.
fn respond<B>(
    mut response: Response<B>,
    guard: InFlight,
    traits: Traits,
) -> Result<Response<ResponseBody<B>>, BoxError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let http1 = guard.key() == 0;
    let status = response.status();
    let upgrade =
        status == StatusCode::SWITCHING_PROTOCOLS || (traits.connect && status.is_success());
    if upgrade && http1 {
        if !guard.record().claim(state::UPGRADED) {
            return Err("answered by the supervisor".into());
        }
        guard.upgraded();
        return Ok(response.map(ResponseBody::of_upgrade));
    }
    #[cfg(feature = "http2")]
    if upgrade {
        guard.record().upgrade_stream(guard.key());
        streams::upgraded(guard);
        return Ok(response.map(ResponseBody::of_upgrade));
    }
    let mut flags = state::DIRTY;
    if http1 {
        if guard.record().says_goodbye(guard.record().server().mode()) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            flags |= state::LAST;
        }
        if traits.http10 && !is_measured(&response) {
            flags |= state::ENDS_BY_CLOSE;
        }
    }
    // Before the claim: should it panic, this is answered 500 still.
    let empty = response.body().is_end_stream();
    if !claim(&guard, flags) {
        return Err("answered by the supervisor".into());
    }
    let bodiless =
        traits.head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    Ok(response.map(|body| ResponseBody::of_handler(body, guard, empty, bodiless)))
}

/// A response is there. `false`: the supervisor has answered already; write nothing.
#[inline]
fn claim(guard: &InFlight, flags: u32) -> bool {
    if guard.key() == 0 {
        return guard.record().claim(flags);
    }
    // Our own answer is short, and nobody cuts it.
    #[cfg(feature = "http2")]
    if flags & state::ANSWERED == 0 {
        streams::responded();
    }
    true
}

/// Whether a response says how long it is.
fn is_measured<B: http_body::Body>(response: &Response<B>) -> bool {
    response.headers().contains_key(CONTENT_LENGTH) || response.body().size_hint().exact().is_some()
}

/// An answer of our own.
fn answer<B>(
    mut response: Response<Bytes>,
    mut guard: InFlight,
    ending: Ending,
    mut flags: u32,
) -> Result<Response<ResponseBody<B>>, BoxError> {
    if guard.key() == 0 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        flags |= state::LAST;
    }
    if !claim(&guard, flags | state::DIRTY) {
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
