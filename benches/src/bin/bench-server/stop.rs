//! The signal that ends the servers but lameduck, which takes its own.

use tokio::signal::unix::{SignalKind, signal};

/// Ready when SIGTERM came.
pub(crate) async fn asked() {
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => eprintln!("bench-server: SIGTERM cannot be taken: {error}"),
    }
}
