//! hyper-util: an accept loop whose connections are watched by `GracefulShutdown`, and a race between its `shutdown`
//! and a sleep, as in its example `server_graceful`:
//! <https://github.com/hyperium/hyper-util/blob/v0.1.21/examples/server_graceful.rs> and
//! <https://docs.rs/hyper-util/0.1.21/hyper_util/server/graceful/struct.GracefulShutdown.html>.

use std::pin::pin;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use lameduck_peers::{GRACE, address, router, shutdown_signal};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(address()).await?;
    let service = TowerToHyperService::new(router());
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(shutdown_signal());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (watcher, service) = (graceful.watcher(), service.clone());
                    tokio::spawn(async move {
                        let builder = Builder::new(TokioExecutor::new());
                        let connection =
                            builder.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
                        // One that failed has nobody left to tell.
                        let _ = watcher.watch(connection).await;
                    });
                }
                Err(error) => {
                    eprintln!("accept: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            () = stop.as_mut() => break,
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => eprintln!("not all connections ended in time"),
    }
    Ok(())
}
