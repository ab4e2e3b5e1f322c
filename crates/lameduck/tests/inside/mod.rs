//! A service inside the test's own process, for what a program cannot show: limits, and `serve` itself.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use lameduck::{Budget, Http, Report, Service, Setup, StopHandle};

/// A service on a runtime and a thread of its own, stopped on drop.
pub(crate) struct Inside {
    pub(crate) addr: SocketAddr,
    pub(crate) stop: StopHandle,
    thread: Option<JoinHandle<Report>>,
}

/// A drain of 3 s, the rest short.
pub(crate) fn budget() -> Budget {
    Budget {
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(3),
        finish: Duration::from_millis(500),
        close: Duration::from_millis(500),
        ..Budget::default()
    }
}

impl Inside {
    /// Serves the router, over TLS in the program `tls`; `limit` sets its limits.
    pub(crate) fn start(
        router: impl FnOnce(&StopHandle) -> Router,
        limit: impl FnOnce(Http) -> Http + Send + 'static,
    ) -> Inside {
        let stop = StopHandle::new();
        let router = router(&stop);
        let (sender, addr) = mpsc::channel();
        let handle = stop.clone();
        let thread = thread::spawn(move || {
            let setup = async move |service: &mut Setup| {
                let http = limit(encrypted(service.http("public", "127.0.0.1:0", router))?);
                let _ = sender.send(http.local_addr());
                Ok(())
            };
            runtime().block_on(Service::new("inside").budget(budget()).serve(&handle, setup))
        });
        let addr = addr.recv().ok().flatten().expect("it listens");
        Inside { addr, stop, thread: Some(thread) }
    }

    /// Waits for the end.
    pub(crate) fn report(mut self) -> Report {
        self.thread.take().expect("asked once").join().expect("no panic")
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.stop.stop("the test is over");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(feature = "tls")]
fn encrypted(http: Http) -> Result<Http, lameduck::Error> {
    if !lameduck_testkit::speaks_tls() {
        return Ok(http);
    }
    let certificate = lameduck_testkit::Certificate::new();
    let tls = lameduck::Tls::from_pem_files(certificate.certificate(), certificate.key())?;
    Ok(http.tls(&tls))
}

#[cfg(not(feature = "tls"))]
fn encrypted(http: Http) -> Result<Http, lameduck::Error> {
    Ok(http)
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
