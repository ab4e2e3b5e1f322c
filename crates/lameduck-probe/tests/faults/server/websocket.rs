//! One WebSocket: an echo that says goodbye.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::shared::Open;
use crate::fault::Fault;

pub(super) async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, open: Open) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(io).await else { return };
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => drop(socket.send(message).await),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            () = open.stopped(), if !open.is(Fault::ForgetsWebSockets) => {
                if open.is(Fault::CutsWebSockets) {
                    return;
                }
                let _ = socket.send(Message::Close(Some(CloseFrame { code: CloseCode::Away, reason: "".into() }))).await;
                while let Some(Ok(_)) = socket.next().await {}
                return;
            }
        }
    }
}
