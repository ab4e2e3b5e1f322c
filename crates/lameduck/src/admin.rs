//! The admin listener: `/livez`, `/readyz`, `/startupz`, `/tasks` and `/metrics`, from before the setup runs until the
//! very end, so that a readiness probe can read 503 for the whole of the stop. It is no part of the drain.

mod tasks;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming as IncomingBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Level;

use crate::Error;
use crate::http::listen::{Accepted, Address, BindError, Listener};
use crate::lifecycle::Shared;
use crate::phase::Phase;

pub(crate) use self::tasks::views;

/// How many connections the admin listener holds; more wait in its accept queue.
const CONNECTIONS: usize = 64;
/// How long an admin connection may take for a request's head, and be idle.
const HEAD: Duration = Duration::from_secs(10);
/// The pause after an accept that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers on the listener that `listen` opens at `address`, until the guard drops. Must be called within the
/// runtime.
///
/// # Errors
/// The address is none, or cannot be listened on.
pub(crate) fn start(
    address: &str,
    listen: impl FnOnce(&Address) -> Result<Listener, BindError>,
    shared: &Arc<Shared>,
) -> Result<DropGuard, Error> {
    let wrong = |error: String| Error::msg(format!("the admin listener: {error}"));
    let address: Address = address.parse().map_err(|error| wrong(format!("{error}")))?;
    let listener = listen(&address).map_err(|error| wrong(error.to_string()))?;
    if let Ok(local) = listener.local_addr() {
        shared.events().say(Level::INFO, format!("admin listener on {local}"));
    }
    let incoming = listener.start()?;
    let over = CancellationToken::new();
    let guard = over.clone().drop_guard();
    let shared = Arc::clone(shared);
    let runtime = shared.runtime().clone();
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut front = shared.front();
    let accept = async move {
        loop {
            // In a restart one of two processes answers, the other's connections wait in the accept queue for it.
            if front.wait_for(|front| *front).await.is_err() {
                return;
            }
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let accepted = tokio::select! {
                biased;
                changed = front.wait_for(|front| !*front) => match changed {
                    Ok(_) => continue,
                    Err(_) => return,
                },
                accepted = incoming.accept() => accepted,
            };
            let accepted = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    shared.events().say(Level::DEBUG, format!("admin listener: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let shared = Arc::clone(&shared);
            drop(shared.runtime().clone().spawn(async move {
                match accepted {
                    Accepted::Tcp(stream, _) => answer(TokioIo::new(stream), shared).await,
                    Accepted::Unix(stream) => answer(TokioIo::new(stream), shared).await,
                }
                drop(slot);
            }));
        }
    };
    drop(runtime.spawn(over.run_until_cancelled_owned(accept)));
    Ok(guard)
}

async fn answer<I>(io: I, shared: Arc<Shared>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let service = service_fn(|request: Request<IncomingBody>| {
        let response = respond(request.method(), request.uri(), &shared);
        async move { Ok::<_, Infallible>(response.map(|text| Full::new(bytes::Bytes::from(text)))) }
    });
    let mut front = shared.front();
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(io, service)
    );
    // Whoever broke the connection knows.
    tokio::select! {
        _ = served.as_mut() => return,
        // Who asks again is to be answered by the successor.
        _ = front.wait_for(|front| !*front) => served.as_mut().graceful_shutdown(),
    }
    let _ = served.await;
}

/// The answer to one request. Pure but for reading the state of the service.
fn respond(method: &Method, uri: &Uri, shared: &Arc<Shared>) -> Response<String> {
    let phase = shared.phase();
    let path = uri.path();
    let as_text = uri.query().is_some_and(|query| query.split('&').any(|one| one == "format=text"));
    let (ok, text) = match path {
        // Once the drain has begun the exit is bounded, and nobody gains by ending the process sooner.
        "/livez" if phase < Phase::Draining && tasks::any_fails_livez(shared) => {
            (false, "a task is hung, see /tasks\n".to_owned())
        }
        "/livez" => (true, format!("{phase}\n")),
        "/tasks" if as_text => (true, tasks::text(&views(shared))),
        "/tasks" => (true, tasks::json(&views(shared))),
        "/readyz" => (phase.is_ready(), format!("{phase}\n")),
        // A start that was given up stops without ever having been ready.
        "/startupz" => (shared.has_been_ready(), format!("{phase}\n")),
        "/metrics" => (true, crate::metrics::render(shared)),
        _ => {
            let text = "there are /livez, /readyz, /startupz, /tasks and /metrics\n".to_owned();
            return plain(StatusCode::NOT_FOUND, text);
        }
    };
    if method != Method::GET && method != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = plain(status, text);
    let kind = match path {
        "/metrics" => Some("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "/tasks" if !as_text => Some("application/json"),
        _ => None,
    };
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

fn plain(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The same endpoints for a public router: `router.merge(lameduck::admin::router())`. They speak for the
/// service that serves the request.
///
/// On a public listener they are gone with it when the drain begins, so a load balancer's check has only the
/// lame duck to see the 503; the admin listener answers until the end.
#[cfg(feature = "axum")]
pub fn router<S: Clone + Send + Sync + 'static>() -> ::axum::Router<S> {
    use ::axum::routing::any;

    use crate::Lifecycle;

    async fn handle(method: Method, uri: Uri, lifecycle: Lifecycle) -> Response<String> {
        respond(&method, &uri, lifecycle.scope().shared())
    }
    ::axum::Router::new()
        .route("/livez", any(handle))
        .route("/readyz", any(handle))
        .route("/startupz", any(handle))
        .route("/tasks", any(handle))
        .route("/metrics", any(handle))
}
