//! actix-web: `HttpServer` handles the signals itself (SIGTERM is graceful; SIGINT and SIGQUIT are forced by design), and
//! `shutdown_timeout` is the deadline: <https://actix.rs/docs/server/#graceful-shutdown> and
//! <https://docs.rs/actix-web/4/actix_web/struct.HttpServer.html#method.shutdown_timeout>. HTTP/2 without TLS by
//! `bind_auto_h2c`.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::web::{self, Bytes, PayloadConfig, Query};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, rt};
use actix_ws::Message;
use futures_util::StreamExt;
use lameduck_peers::{ECHO_LIMIT, GRACE, Lines, Time, address};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let app = || {
        App::new()
            .app_data(PayloadConfig::new(ECHO_LIMIT))
            .route("/", web::get().to(async || "OK"))
            .route("/sleep", web::get().to(slept))
            .route("/stream", web::get().to(stream))
            .route("/hang", web::to(std::future::pending::<&'static str>))
            .route("/block", web::get().to(block))
            .route("/starve", web::get().to(starve))
            .route("/echo", web::post().to(async |body: Bytes| body))
            .route("/ws", web::get().to(websocket))
    };
    HttpServer::new(app).shutdown_timeout(GRACE.as_secs()).bind_auto_h2c(address())?.run().await
}

async fn slept(time: Query<Time>) -> &'static str {
    sleep(Duration::from_millis(time.ms)).await;
    "OK"
}

async fn stream(lines: Query<Lines>) -> HttpResponse {
    let Query(lines) = lines;
    HttpResponse::Ok().streaming(futures_util::stream::unfold(0, move |next| async move {
        if next == lines.chunks {
            return None;
        }
        if next > 0 {
            sleep(Duration::from_millis(lines.ms)).await;
        }
        Some((Ok::<_, Infallible>(Bytes::from(format!("chunk {next:04}\n"))), next + 1))
    }))
}

async fn block(time: Query<Time>) -> &'static str {
    let blocking = move || std::thread::sleep(Duration::from_millis(time.ms));
    match web::block(blocking).await {
        Ok(()) => "OK",
        Err(_) => "the blocking thread panicked",
    }
}

async fn starve(time: Query<Time>) -> &'static str {
    std::thread::sleep(Duration::from_millis(time.ms));
    "OK"
}

async fn websocket(request: HttpRequest, body: web::Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let sent = match message {
                Message::Text(text) => session.text(text).await,
                Message::Binary(bytes) => session.binary(bytes).await,
                Message::Ping(bytes) => session.pong(&bytes).await,
                Message::Close(reason) => {
                    let _ = session.close(reason).await;
                    return;
                }
                Message::Pong(_) | Message::Continuation(_) | Message::Nop => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
    });
    Ok(response)
}
