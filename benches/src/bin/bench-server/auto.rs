//! hyper-util's auto server, as its users write it: an accept loop, and a task per connection.

use std::io;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;

use crate::{listener, stop};

/// Serves until SIGTERM, then ends at once: how it stops is not compared, axum stands for that.
#[expect(clippy::disallowed_methods, reason = "what is compared here spawns like this")]
pub(crate) async fn serve(port: u16, router: Router) -> io::Result<()> {
    let listener = listener::bind(port)?;
    let service = TowerToHyperService::new(router);
    let mut asked = std::pin::pin!(stop::asked());
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut asked => return Ok(()),
        };
        let service = service.clone();
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // An error is the client's: it went away.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}
