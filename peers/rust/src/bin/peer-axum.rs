//! axum: `axum::serve` with `with_graceful_shutdown`, and a timeout for requests in flight, as in axum's own example
//! `graceful-shutdown` ("Graceful shutdown will wait for outstanding requests to complete. Add a timeout so requests
//! don't hang forever"): <https://github.com/tokio-rs/axum/blob/axum-v0.8.9/examples/graceful-shutdown/src/main.rs>.
//! axum 0.8.9 itself knows no deadline: <https://docs.rs/axum/0.8.9/axum/serve/struct.WithGracefulShutdown.html>.

use axum::http::StatusCode;
use lameduck_peers::{GRACE, address, router, shutdown_signal};
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, GRACE);
    let listener = TcpListener::bind(address()).await?;
    axum::serve(listener, router().layer(timeout)).with_graceful_shutdown(shutdown_signal()).await
}
