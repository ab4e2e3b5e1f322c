//! The servers that are compared, in one program:
//! `bench-server KIND [--accept main|task] [--routes N]`, on `127.0.0.1:$PORT`, stopped by SIGTERM.
//!
//! They serve the same [`router`] on the same kind of [`listener`] and the same runtime, so that what differs is
//! what serves the connections:
//!
//! | kind | |
//! |---|---|
//! | `lameduck` | `Service::run` |
//! | `bare`, `bare-http2` | the hyper connection that lameduck builds on, without its record: see [`bare`] |
//! | `auto` | hyper-util's auto server behind an accept loop, as its examples show it |
//! | `axum` | `axum::serve(listener, router).with_graceful_shutdown(signal)`, as its documentation shows it |
//! | `axum-made` | the same with `router.into_make_service()`, which spares it work on each connection |
//!
//! `--accept` says where those but `lameduck` accept: on the main thread (as under `#[tokio::main]`, the default) or
//! in a task of the runtime, as lameduck does. `--routes` says how many routes the router has.

mod auto;
mod bare;
mod listener;
mod router;
mod stop;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use lameduck::{Budget, Service, Setup};

/// As many as a small service has; `docs/performance.md` shows what their number does.
const ROUTES: usize = 8;

fn main() -> ExitCode {
    let mut in_task = false;
    let mut routes = ROUTES;
    let mut arguments = std::env::args().skip(1);
    let Some(kind) = arguments.next() else { return usage() };
    while let Some(name) = arguments.next() {
        match (name.as_str(), arguments.next().as_deref().map(|value| (value, value.parse()))) {
            ("--accept", Some(("main", _))) => in_task = false,
            ("--accept", Some(("task", _))) => in_task = true,
            ("--routes", Some((_, Ok(number)))) => routes = number,
            _ => return usage(),
        }
    }
    let Some(port) = std::env::var("PORT").ok().and_then(|port| port.parse().ok()) else {
        return usage();
    };
    let router = router::router(routes);
    match kind.as_str() {
        "lameduck" => lameduck(port, router),
        "bare" => run(bare::http1(port, router), in_task),
        "bare-http2" => run(bare::http2(port, router), in_task),
        "auto" => run(auto::serve(port, router), in_task),
        "axum" => run(axum_serve(port, router), in_task),
        "axum-made" => run(axum_made(port, router), in_task),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: PORT=n bench-server lameduck|bare|bare-http2|auto|axum|axum-made \
         [--accept main|task] [--routes N]"
    );
    ExitCode::from(2)
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

/// What `#[tokio::main]` does, or the same in a task.
fn run<F>(server: F, in_task: bool) -> ExitCode
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| match in_task {
        false => runtime.block_on(server),
        true => runtime.block_on(runtime.spawn(server)).unwrap_or_else(|panic| Err(panic.into())),
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-server: {error}");
            ExitCode::FAILURE
        }
    }
}
