//! What the servers on axum's router share: the probe's routes, the port, and the signals that their documentation
//! listens to.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Query};
use axum::routing::{any, get, post};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

/// What each of them gives its requests to end, as the probe is told.
pub const GRACE: Duration = Duration::from_secs(5);
/// What `POST /echo` takes at most.
pub const ECHO_LIMIT: usize = 64 << 20;

/// Where to listen: `127.0.0.1:$PORT`.
///
/// # Panics
/// There is no port in `PORT`.
#[must_use]
pub fn address() -> SocketAddr {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok());
    SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("PORT is the port to listen on")))
}

/// Ends with the first SIGINT or SIGTERM.
///
/// # Panics
/// The handlers can't be installed.
pub async fn shutdown_signal() {
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// The routes that the probe asks for.
pub fn router() -> Router {
    Router::new()
        .route("/", get(async || "OK"))
        .route("/sleep", get(sleep))
        .route("/stream", get(stream))
        .route("/hang", any(std::future::pending::<()>))
        .route("/block", get(block))
        .route("/starve", get(starve))
        .route("/echo", post(async |body: Bytes| body).layer(DefaultBodyLimit::max(ECHO_LIMIT)))
        .route("/ws", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)))
}

/// The query of a route that takes a time.
#[derive(Debug, Deserialize)]
pub struct Time {
    /// How long, in milliseconds.
    pub ms: u64,
}

/// The query of a response in pieces.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Lines {
    /// How many.
    pub chunks: u32,
    /// How long between two of them, in milliseconds.
    pub ms: u64,
}

async fn sleep(Query(time): Query<Time>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(time.ms)).await;
    "OK"
}

async fn stream(Query(lines): Query<Lines>) -> Body {
    Body::from_stream(futures_util::stream::unfold(0, move |next| async move {
        if next == lines.chunks {
            return None;
        }
        if next > 0 {
            tokio::time::sleep(Duration::from_millis(lines.ms)).await;
        }
        Some((Ok::<_, Infallible>(format!("chunk {next:04}\n")), next + 1))
    }))
}

async fn block(Query(time): Query<Time>) -> &'static str {
    let sleep = move || std::thread::sleep(Duration::from_millis(time.ms));
    match tokio::task::spawn_blocking(sleep).await {
        Ok(()) => "OK",
        Err(_) => "the blocking thread panicked",
    }
}

async fn starve(Query(time): Query<Time>) -> &'static str {
    std::thread::sleep(Duration::from_millis(time.ms));
    "OK"
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}
