//! WebSockets: connections that outlive their request.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::demand::Demand;
use crate::record::{Fact, Role};
use crate::routes::Need;
use crate::server::Server;
use crate::stage::Stage;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "websocket/goodbye",
        title: "An open WebSocket is told by a Close frame, and its answer waited for",
        level: Level::Should,
        why: "A client that is told connects anew at once and elsewhere; one that is not reports an error to its user.",
        rule: "RFC 6455, section 7.4.1: 1001, the server is going down",
        needs: &[Need::WebSocket],
        alone: false,
        runs: 1,
        demands: &[Demand::Goodbye, Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(told(stage)),
    },
    Case {
        id: "websocket/prompt",
        title: "Once the Close frames are exchanged nothing holds the end",
        level: Level::Should,
        why: "A server that forgets upgraded connections either cuts them or waits for its deadline.",
        rule: "RFC 6455, section 7.1.1: the server closes the connection first",
        needs: &[Need::WebSocket],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::ExitWithin(1_500), Demand::CleanCode],
        drive: |stage| Box::pin(told(stage)),
    },
    Case {
        id: "websocket/ignored",
        title: "A client that ignores the Close frame does not hold the process beyond its grace",
        level: Level::Must,
        why: "It may be a phone in a tunnel; its answer never comes.",
        rule: "Kubernetes kills what has not ended in its grace period",
        needs: &[Need::WebSocket],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(ignored(stage)),
    },
];

/// An open one on which an echo has come back.
async fn open(
    stage: &Stage,
    server: &Server,
) -> Result<(u32, WebSocketStream<TcpStream>), Blocked> {
    let client = stage.connect(&stage.near(server), Role::Setup).await?;
    let connection = client.connection();
    let url = format!("ws://{}{}", server.addr(), stage.path(Need::WebSocket, 0));
    let opening = async {
        let (mut socket, _) = tokio_tungstenite::client_async(url, client.into_stream()).await?;
        socket.send(Message::text("hello")).await?;
        Ok::<_, tokio_tungstenite::tungstenite::Error>((socket.next().await, socket))
    };
    match timeout(Duration::from_secs(5), opening).await {
        Ok(Ok((Some(Ok(Message::Text(text))), socket))) if text == "hello" => {
            Ok((connection, socket))
        }
        Ok(Err(error)) => Err(Blocked::setup(format!("the WebSocket did not open: {error}"))),
        Ok(Ok(_)) | Err(_) => Err(Blocked::setup("the WebSocket did not echo")),
    }
}

async fn told(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let (connection, mut socket) = open(&stage, &server).await?;
    stage.settle().await;
    stage.stop(&mut server);
    let mut code = None;
    // Reading on sends our own Close frame, and ends with the connection.
    let reading = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                // 1005: a Close frame without a code.
                code = Some(frame.map_or(1005, |frame| frame.code.into()));
            }
        }
    };
    let _ = timeout(stage.left(), reading).await;
    stage.tape().fact(Fact::WebSocketEnded { connection, at: stage.tape().now(), code });
    stage.end(server).await;
    Ok(())
}

async fn ignored(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let (_, socket) = open(&stage, &server).await?;
    stage.settle().await;
    stage.stop(&mut server);
    stage.end(server).await;
    drop(socket);
    Ok(())
}
