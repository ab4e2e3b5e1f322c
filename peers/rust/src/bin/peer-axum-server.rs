//! axum-server: a `Handle` whose `graceful_shutdown` gets the deadline, as in its example `graceful_shutdown`:
//! <https://github.com/programatik29/axum-server/blob/master/examples/graceful_shutdown.rs> and
//! <https://docs.rs/axum-server/0.9/axum_server/struct.Handle.html#method.graceful_shutdown>. It listens to no signals.

use std::net::SocketAddr;

use axum_server::Handle;
use lameduck_peers::{GRACE, address, router, shutdown_signal};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let handle = Handle::new();
    tokio::spawn(stop(handle.clone()));
    axum_server::bind(address()).handle(handle).serve(router().into_make_service()).await
}

async fn stop(handle: Handle<SocketAddr>) {
    shutdown_signal().await;
    handle.graceful_shutdown(Some(GRACE));
}
