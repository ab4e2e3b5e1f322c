//! A small HTTP/1.1 client that knows exactly what it has sent and received.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::outcome::Outcome;
use super::response::Response;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(20);

/// One keep-alive connection at a time to one server.
#[derive(Debug)]
pub(super) struct Client {
    server: SocketAddr,
    connection: Option<TcpStream>,
}

impl Client {
    /// A client that is not connected yet.
    pub(super) fn new(server: SocketAddr) -> Self {
        Self { server, connection: None }
    }

    /// Sends a request and judges its end.
    pub(super) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Outcome {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server,
            body.len(),
        );
        let outcome = tokio::time::timeout(LIMIT, self.exchange(request.as_bytes()))
            .await
            .unwrap_or(Outcome::Hung);
        if !matches!(outcome, Outcome::Answered { .. } | Outcome::TurnedAway) {
            self.connection = None;
        }
        outcome
    }

    async fn exchange(&mut self, request: &[u8]) -> Outcome {
        // A client that can see that its idle connection was closed opens another: that is no loss.
        let open = self.connection.take().filter(is_open);
        let mut connection = match open {
            Some(connection) => connection,
            None => match connect(self.server).await {
                Ok(connection) => connection,
                Err(_) => return Outcome::Refused,
            },
        };
        let mut sent = 0;
        while sent < request.len() {
            match connection.write(&request[sent..]).await {
                Ok(written) => sent += written,
                Err(_) if sent == 0 => return Outcome::Refused,
                Err(_) => break,
            }
        }
        let mut received = Vec::new();
        loop {
            let read = connection.read_buf(&mut received).await;
            let ended = !matches!(read, Ok(1..));
            let (status, close) = match Response::read(&received) {
                Response::Whole { status, close } => (status, close),
                Response::UntilClose { status } if matches!(read, Ok(0)) => (status, true),
                Response::UntilClose { .. } | Response::Partial if !ended => continue,
                Response::UntilClose { .. } | Response::Partial => {
                    return if received.is_empty() { Outcome::Lost } else { Outcome::Cut };
                }
            };
            self.connection = (!close && !ended).then_some(connection);
            return if matches!(status, 503 | 429) {
                Outcome::TurnedAway
            } else {
                Outcome::Answered { status }
            };
        }
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(server).await?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// Looks without taking anything: silence means open. The system is asked, not tokio, whose knowledge may be old.
fn is_open(connection: &TcpStream) -> bool {
    let looked = rustix::net::recv(connection, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(looked, Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that takes each connection in turn: reads a request, writes the bytes, closes.
    async fn server(answers: &'static [&'static str]) -> (SocketAddr, tokio::task::JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move {
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let read = connection.read(&mut [0; 1_000]).await.unwrap();
                assert_ne!(read, 0, "nothing was asked");
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (address, serving)
    }

    #[tokio::test]
    async fn each_end_is_told_apart() {
        let (address, _serving) = server(&[
            "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no",
            "",
            "HTTP/1.1 200 OK\r\n\r\nto the end",
        ])
        .await;
        let mut client = Client::new(address);
        let mut ask = async || {
            // The connection of the answer before is closed by then, which must be seen before sending.
            tokio::time::sleep(Duration::from_millis(20)).await;
            client.ask("GET", "/", "").await
        };
        assert_eq!(ask().await, Outcome::Answered { status: 201 });
        assert_eq!(ask().await, Outcome::TurnedAway);
        assert_eq!(ask().await, Outcome::Cut);
        assert_eq!(ask().await, Outcome::Lost);
        assert_eq!(ask().await, Outcome::Answered { status: 200 });
        assert_eq!(ask().await, Outcome::Refused);
    }
}
