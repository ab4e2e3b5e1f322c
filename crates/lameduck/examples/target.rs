//! The service under test: the routes that `lameduck probe` asks for, on `127.0.0.1:$PORT`.
//!
//! ```text
//! PORT=8080 cargo run --release -p lameduck --example target
//! ```
//!
//! `/` answers `OK`; `/sleep?ms=` answers after that time; `/stream?chunks=&ms=` sends that many lines, one
//! every so many milliseconds; `/hang` never ends, nor does `/items/{id}`; `/block?ms=` blocks a thread that may be blocked;
//! `/starve?ms=` blocks the thread that runs the handler; `POST /echo` answers with the body that it got, up
//! to 64 MB; `/ws` is a WebSocket echo that says Close 1001 at the drain.
//!
//! With the feature `restart` SIGUSR2 restarts it.
//!
//! Its budget is short and all of it can be overridden: lame duck 0, drain 5 s, finish 0.5 s, close 0.5 s.
//! `HOST` chooses another address than 127.0.0.1, or `unix:PATH`, for the tests. With `TLS_CERT` and `TLS_KEY`, two PEM
//! files, it speaks TLS (feature `tls`), and SIGHUP has it read them again;
//! `TLS_HANDSHAKE_MS` chooses how long a handshake may take, `IDLE_MS` how long a connection may be idle.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{DefaultBodyLimit, Query};
use axum::routing::{any, get, post};
use lameduck::{Budget, Lifecycle, Service, Setup};
use serde::Deserialize;

const ECHO_LIMIT: usize = 64 << 20;

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    service().run(set_up)
}

pub(crate) fn service() -> Service {
    let budget = Budget {
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(5),
        finish: Duration::from_millis(500),
        close: Duration::from_millis(500),
        ..Budget::default()
    };
    Service::new("target").budget(budget)
}

pub(crate) async fn set_up(target: &mut Setup) -> Result<(), lameduck::Error> {
    let mut http = target.http("public", address()?, router());
    if let Ok(ms) = std::env::var("IDLE_MS") {
        http = http.idle_timeout(Duration::from_millis(ms.parse()?));
    }
    if let Some((certificate, key)) = certificate()? {
        encrypt(target, http, &certificate, &key)?;
    }
    Ok(())
}

/// The files of the certificate and its key, if it is to speak TLS.
fn certificate() -> Result<Option<(String, String)>, lameduck::Error> {
    match (std::env::var("TLS_CERT").ok(), std::env::var("TLS_KEY").ok()) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            Err(lameduck::Error::msg("TLS_CERT and TLS_KEY belong together; set both"))
        }
    }
}

#[cfg(feature = "tls")]
fn encrypt(
    target: &mut Setup,
    http: lameduck::Http,
    certificate: &str,
    key: &str,
) -> Result<(), lameduck::Error> {
    let tls = lameduck::Tls::from_pem_files(certificate, key)?;
    let mut http = http.tls(&tls);
    if let Ok(ms) = std::env::var("TLS_HANDSHAKE_MS") {
        http = http.handshake_timeout(Duration::from_millis(ms.parse()?));
    }
    drop(http);
    target.on_hangup(move || drop(tls.reload()));
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn encrypt(_: &mut Setup, _: lameduck::Http, _: &str, _: &str) -> Result<(), lameduck::Error> {
    Err(lameduck::Error::msg("TLS_CERT needs the feature tls: build with --features tls"))
}

fn address() -> Result<String, lameduck::Error> {
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    if host.starts_with("unix:") {
        return Ok(host);
    }
    let port = std::env::var("PORT")
        .map_err(|_| lameduck::Error::msg("PORT is not set; write it like PORT=8080"))?;
    Ok(format!("{host}:{port}"))
}

fn router() -> Router {
    Router::new()
        .route("/", get(async || "OK"))
        .route("/sleep", get(sleep))
        .route("/stream", get(stream))
        .route("/hang", any(std::future::pending::<()>))
        // Its route is not its path.
        .route("/items/{id}", any(std::future::pending::<()>))
        .route("/block", get(block))
        .route("/starve", get(starve))
        .route("/echo", post(async |body: Bytes| body).layer(DefaultBodyLimit::max(ECHO_LIMIT)))
        .route(
            "/ws",
            any(async |upgrade: WebSocketUpgrade, lifecycle: Lifecycle| {
                upgrade.on_upgrade(move |socket| echo(socket, lifecycle))
            }),
        )
        .route_layer(lameduck::axum::NameRoutes)
}

#[derive(Deserialize)]
struct Time {
    ms: u64,
}

async fn sleep(Query(time): Query<Time>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(time.ms)).await;
    "OK"
}

#[derive(Deserialize)]
struct Lines {
    chunks: u32,
    ms: u64,
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

#[expect(clippy::disallowed_methods, reason = "blocking a thread is what this route is for")]
async fn block(Query(time): Query<Time>) -> &'static str {
    let time = Duration::from_millis(time.ms);
    match tokio::task::spawn_blocking(move || std::thread::sleep(time)).await {
        Ok(()) => "OK",
        Err(_) => "the blocking thread panicked",
    }
}

#[expect(clippy::disallowed_methods, reason = "blocking the runtime is what this route is for")]
async fn starve(Query(time): Query<Time>) -> &'static str {
    std::thread::sleep(Duration::from_millis(time.ms));
    "OK"
}

async fn echo(mut socket: WebSocket, lifecycle: Lifecycle) {
    loop {
        let message = tokio::select! {
            () = lifecycle.draining() => {
                let goodbye = CloseFrame { code: close_code::AWAY, reason: "stopping".into() };
                let _ = socket.send(Message::Close(Some(goodbye))).await;
                // The peer answers with its own Close; the drain deadline bounds the wait.
                while let Some(Ok(_)) = socket.recv().await {}
                return;
            }
            message = socket.recv() => message,
        };
        let Some(Ok(message)) = message else { return };
        match message {
            Message::Text(_) | Message::Binary(_) => {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
    }
}
