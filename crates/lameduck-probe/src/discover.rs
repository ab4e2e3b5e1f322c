//! Which routes and protocols the server under test has: asked once, of a server of its own, before the cases.
//!
//! A server that does not come up here does not come up for any case: its error ends the run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::blocked::Blocked;
use crate::client::{Client, Http2, Manners};
use crate::record::Role;
use crate::routes::Need;
use crate::server::Server;
use crate::stage::{Setup, Stage};

/// How long a route may take that should answer at once.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a route is asked to take, and what it must take at least: some clocks count whole milliseconds.
const PAUSE_MS: u64 = 100;
const AT_LEAST: Duration = Duration::from_millis(90);
/// How long one that should not answer is watched.
const SILENCE: Duration = Duration::from_millis(400);

/// What the server has.
///
/// # Errors
/// It did not come up, or does not answer a GET of its root.
pub(crate) async fn discover(setup: &Arc<Setup>) -> Result<Vec<Need>, Blocked> {
    let stage = Stage::new(Arc::clone(setup));
    let server = stage.start_listening().await?;
    let root = setup.routes.root();
    match ask(&stage, &server, &get(root), ANSWER).await {
        Some((200..=299, _)) => {}
        Some((status, _)) => {
            return Err(Blocked::setup(format!("a GET of {root} was answered {status}, not 200")));
        }
        None => {
            return Err(Blocked::setup(format!("a GET of {root} got no whole HTTP/1.1 answer")));
        }
    }
    let mut has = Vec::new();
    for need in Need::ALL {
        if check(&stage, &server, need).await {
            has.push(need);
        }
    }
    Ok(has)
}

async fn check(stage: &Stage, server: &Server, need: Need) -> bool {
    match need {
        Need::Sleep | Need::Block | Need::Starve => {
            // Some servers say 200 to every path: so it must also take its time.
            let begun = Instant::now();
            let answer = ask(stage, server, &get(&stage.path(need, PAUSE_MS)), ANSWER).await;
            let took = begun.elapsed();
            matches!(answer, Some((200, _))) && took >= AT_LEAST
        }
        Need::Stream => {
            let path = stage.setup().routes.path(need, 1, 2);
            let answer = ask(stage, server, &get(&path), ANSWER).await;
            answer.is_some_and(|(status, body)| status == 200 && body.starts_with(b"chunk 0000"))
        }
        Need::Hang => {
            // Silence is what is asked for: so the connection must still be open at the end of it.
            let Some(mut client) =
                Client::connect(&stage.near(server), stage.tape(), Role::Setup).await
            else {
                return false;
            };
            client.get(&stage.path(need, 60_000)).await;
            client.stays_silent(SILENCE).await
        }
        Need::Echo => {
            let path = stage.path(need, 0);
            let request =
                format!("POST {path} HTTP/1.1\r\nHost: probe\r\nContent-Length: 5\r\n\r\nhello");
            ask(stage, server, &request, ANSWER).await == Some((200, b"hello".to_vec()))
        }
        Need::WebSocket => {
            let path = stage.path(need, 0);
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            matches!(ask(stage, server, &request, ANSWER).await, Some((101, _)))
        }
        Need::Http2 => match Http2::connect(&stage.near(server), stage.tape(), Manners::Good).await
        {
            Some(mut http2) => http2.greeted(ANSWER).await,
            None => false,
        },
        Need::Ready => stage.setup().command.has_ready(),
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: probe\r\n\r\n")
}

/// Status and body, on a connection of its own.
async fn ask(
    stage: &Stage,
    server: &Server,
    request: &str,
    within: Duration,
) -> Option<(u16, Vec<u8>)> {
    let client = Client::connect(&stage.near(server), stage.tape(), Role::Setup).await?;
    let mut client = client.limit(within);
    client.ask("", request.as_bytes()).await;
    let response = client.response().await?;
    Some((response.status, response.body))
}
