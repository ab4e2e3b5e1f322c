//! What the page shows of the service's life.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use lameduck::{Lifecycle, Phase};
use serde_json::{Value, json};
use tower_service::Service as _;

use super::Failure;

/// How soon a change of phase is told; the drain is told at once.
const LOOK: Duration = Duration::from_millis(100);
/// More than lameduck's own answers ever are.
const LARGEST: usize = 1 << 20;

/// `GET /status`: the phase, how many requests are in flight, and every task, as lameduck's own `/metrics` and `/tasks`
/// say. Those are asked inside of this process: they are not on the public address.
pub(super) async fn status(lifecycle: Lifecycle) -> Result<Json<Value>, Failure> {
    let (tasks, metrics) = (ask("/tasks").await?, ask("/metrics").await?);
    let tasks: Value = serde_json::from_str(&tasks).map_err(|error| unreadable(&error))?;
    Ok(Json(json!({
        "phase": lifecycle.phase().name(),
        "in_flight": in_flight(&metrics),
        "tasks": tasks["tasks"],
    })))
}

async fn ask(path: &str) -> Result<String, Failure> {
    let request = Request::get(path).body(Body::empty()).map_err(|error| unreadable(&error))?;
    let mut admin = lameduck::admin::router::<()>().with_state(());
    let Ok(answer): Result<_, Infallible> = admin.call(request).await;
    let body = to_bytes(answer.into_body(), LARGEST).await.map_err(|error| unreadable(&error))?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// This request is among them, and each page's stream of phases.
fn in_flight(metrics: &str) -> Option<u64> {
    let line =
        metrics.lines().find_map(|line| line.strip_prefix("lameduck_requests_in_flight "))?;
    line.parse().ok()
}

fn unreadable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the status cannot be read: {error}"))
}

/// `GET /phases`: an event for the phase, and for each that follows. It ends with the drain, which it is the last to
/// tell of: otherwise a page that is open somewhere would hold up the stop until its deadline.
pub(super) async fn phases(
    lifecycle: Lifecycle,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let phases = stream::unfold(None, move |mut told: Option<Phase>| {
        let lifecycle = lifecycle.clone();
        async move {
            loop {
                let phase = lifecycle.phase();
                if told != Some(phase) && told < Some(Phase::Draining) {
                    told = Some(phase);
                    return Some((Ok(Event::default().event("phase").data(phase.name())), told));
                }
                if phase >= Phase::Draining {
                    return None;
                }
                tokio::select! {
                    () = lifecycle.draining() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    });
    Sse::new(phases).keep_alive(KeepAlive::default())
}
