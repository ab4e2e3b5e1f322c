//! One HTTP/2 connection.

use std::time::Duration;

use h2::server::{SendResponse, handshake};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::sleep_ms;
use super::shared::Open;
use crate::fault::Fault;

pub(super) async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send, open: Open) {
    let Ok(mut connection) = handshake(io).await else { return };
    let open = std::sync::Arc::new(open);
    let mut streams = JoinSet::new();
    let mut told = false;
    let silent = open.is(Fault::NoGoAway) || open.is(Fault::DropsLateStreams);
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                if open.is(Fault::DropsLateStreams) && open.stopping() {
                    continue;
                }
                let target = request.uri().to_string();
                let open = std::sync::Arc::clone(&open);
                streams.spawn(async move { answer(&target, respond, &open).await });
            }
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
            () = open.stopped(), if !told && !open.is(Fault::WaitsForHttp2) => {
                told = true;
                if open.is(Fault::OneGoAway) {
                    connection.abrupt_shutdown(h2::Reason::NO_ERROR);
                } else if !silent {
                    connection.graceful_shutdown();
                }
            }
            // What the streams wrote last goes out meanwhile.
            () = sleep(Duration::from_millis(50)), if told && streams.is_empty() && silent => return,
        }
    }
}

async fn answer(target: &str, mut respond: SendResponse<bytes::Bytes>, open: &Open) {
    let handler = async {
        match target.rsplit_once('/').map_or("", |(_, path)| path) {
            path if path.starts_with("sleep") => sleep(sleep_ms(target)).await,
            path if path.starts_with("hang") => std::future::pending().await,
            _ => {}
        }
    };
    let status = tokio::select! {
        () = handler => 200,
        () = open.over() => 503,
    };
    if status == 503 && open.is(Fault::CutsAtDeadline) {
        return;
    }
    let response = http::Response::builder().status(status).body(()).expect("a response");
    let _ = respond.send_response(response, true);
}
