//! A service with routes of the test's own, in the test's process.

use std::net::SocketAddr;
use std::time::Duration;

use lameduck::{Budget, Http, Report, Service, Setup, StopHandle};
use tokio::sync::oneshot;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Serves `router` on two threads while `clients` runs on one of its own, and stops once that has returned. What it
/// returned and the report. `tune` sets the server's limits.
pub(crate) fn served<T: Send + 'static>(
    drain: Duration,
    router: axum::Router,
    tune: impl FnOnce(Http) -> Http + Send + 'static,
    clients: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> (T, Report) {
    let budget = Budget {
        lame_duck: Duration::ZERO,
        drain,
        finish: SECOND / 2,
        close: SECOND / 2,
        // Room for a machine that stands still.
        idle_grace: SECOND / 2,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    let ended = runtime.block_on(async move {
        let stop = StopHandle::new();
        let (tell, told) = oneshot::channel();
        let serving = Service::new("own").budget(budget).serve(&stop, async |setup: &mut Setup| {
            let http = setup.http("http", "127.0.0.1:0", router);
            let _ = tell.send(http.local_addr().expect("a TCP address"));
            drop(tune(http));
            Ok(())
        });
        let asking = async {
            let addr = told.await.expect("the setup ran");
            let asked = tokio::task::spawn_blocking(move || clients(addr)).await;
            stop.stop("the test is over");
            asked.expect("no panic")
        };
        futures_util::future::join(asking, serving).await
    });
    // A test may have left a thread blocked.
    runtime.shutdown_timeout(Duration::ZERO);
    ended
}
