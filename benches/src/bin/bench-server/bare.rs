//! What lameduck would be without its record: the same hyper connections with the same options, and nothing
//! around the I/O, the service, the body or the connection. The difference to `lameduck` is what the record costs:
//! looking for HTTP/2's preface, counting requests, and being able to end in order.

use std::future::Future;
use std::io;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use crate::{listener, stop};

/// HTTP/1 with lameduck's options.
pub(crate) async fn http1(port: u16, router: Router) -> io::Result<()> {
    let service = TowerToHyperService::new(router);
    serve(port, move |stream| {
        let service = service.clone();
        async move {
            let mut builder = http1::Builder::new();
            builder.half_close(true).pipeline_flush(false);
            // An error is the client's: it went away.
            let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        }
    })
    .await
}

/// HTTP/2 with lameduck's options, without looking for its preface.
pub(crate) async fn http2(port: u16, router: Router) -> io::Result<()> {
    let service = TowerToHyperService::new(router);
    serve(port, move |stream| {
        let service = service.clone();
        async move {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.enable_connect_protocol();
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

#[expect(clippy::disallowed_methods, reason = "nothing tracks these: that is the point")]
async fn serve<F>(port: u16, connection: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = listener::bind(port)?;
    let mut asked = std::pin::pin!(stop::asked());
    loop {
        let (stream, _) = tokio::select! {
            biased;
            () = &mut asked => return Ok(()),
            accepted = listener.accept() => accepted?,
        };
        tokio::spawn(connection(stream));
    }
}
