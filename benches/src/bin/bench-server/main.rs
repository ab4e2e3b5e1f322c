//! The servers that are compared, in one program: `bench-server KIND`, on `127.0.0.1:$PORT`, stopped by SIGTERM.
//!
//! They serve the same [`router`](router::router) on the same kind of listener ([`listener::bind`]) and the same
//! runtime, so that what differs is what serves the connections:
//!
//! | kind | |
//! |---|---|
//! | `lameduck` | `Service::run` |
//! | `bare`, `bare-http2` | the hyper connection that lameduck builds on, without its record |
//! | `auto` | hyper-util's auto server behind an accept loop, as its examples show it |
//! | `floor` | no server: accept, read, write, close, on one thread |
//! | `axum` | `axum::serve(listener, router).with_graceful_shutdown(signal)`, as its documentation shows it |
//! | `axum-made` | the same with `router.into_make_service()`, which spares it work on each connection |
//!
//! Those but lameduck accept on the main thread, as under `#[tokio::main]`; lameduck does so in a task of its runtime.
//! `ROUTES` says how many routes the router has.

mod auto;
mod bare;
mod floor;
mod listener;
mod router;
mod stop;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use lameduck::{Budget, Service, Setup};

/// As many as a small service has, and as the driver and `benches/go/main.go` have.
const ROUTES: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind] = &arguments[..] else { return usage() };
    let Some(port) = number("PORT").and_then(|number| u16::try_from(number).ok()) else {
        return usage();
    };
    let routes = number("ROUTES").unwrap_or(ROUTES);
    let router = router::router(routes);
    match kind.as_str() {
        "lameduck" => lameduck(port, router),
        "bare" => run(bare::http1(port, router)),
        "bare-http2" => run(bare::http2(port, router)),
        "floor" => exit_code(floor::serve(port)),
        "auto" => run(auto::serve(port, router)),
        "axum" => run(axum_serve(port, router)),
        "axum-made" => run(axum_made(port, router)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: PORT=n [ROUTES=n] bench-server lameduck|bare|bare-http2|floor|auto|axum|axum-made"
    );
    ExitCode::from(2)
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

async fn axum_serve(port: u16, router: Router) -> std::io::Result<()> {
    axum::serve(listener::bind(port)?, router).with_graceful_shutdown(stop::asked()).await
}

async fn axum_made(port: u16, router: Router) -> std::io::Result<()> {
    axum::serve(listener::bind(port)?, router.into_make_service())
        .with_graceful_shutdown(stop::asked())
        .await
}

/// The defaults, but for the lame duck: what is measured is the drain.
fn lameduck(port: u16, router: Router) -> ExitCode {
    let budget = Budget { lame_duck: Duration::ZERO, ..Budget::default() };
    Service::new("bench").budget(budget).run(async move |bench: &mut Setup| {
        bench.http("public", format!("127.0.0.1:{port}"), router);
        Ok(())
    })
}

/// What `#[tokio::main]` does.
fn run(server: impl Future<Output = std::io::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    exit_code(runtime.and_then(|runtime| runtime.block_on(server)))
}

fn exit_code(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-server: {error}");
            ExitCode::FAILURE
        }
    }
}
