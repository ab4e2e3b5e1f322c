//! The readiness URL, asked as a load balancer does: a connection for each question.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::http1::ResponseReader;
use crate::record::Fact;
use crate::tape::Tape;

const EVERY: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(1);

/// The status that the URL (`http://HOST:PORT/PATH`) answers within the time; `None` if it does not.
pub(crate) async fn get_status(url: &str, within: Duration) -> Option<u16> {
    timeout(within, ask(url)).await.ok().flatten()
}

/// Asks again and again, and puts each answer on the tape, until it is dropped.
pub(crate) async fn watch_readiness(url: String, tape: Tape) {
    loop {
        let status = get_status(&url, LIMIT).await;
        tape.fact(Fact::Ready { at: tape.now(), status });
        sleep(EVERY).await;
    }
}

async fn ask(url: &str) -> Option<u16> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let addr = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = TcpStream::connect(addr).await.ok()?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let (mut reader, mut buffer) = (ResponseReader::new("GET"), Vec::new());
    loop {
        let ended = stream.read_buf(&mut buffer).await.ok()? == 0;
        match reader.advance(&mut buffer, ended) {
            Ok(Some(response)) => return Some(response.status),
            Ok(None) if !ended => {}
            Ok(None) | Err(_) => return None,
        }
    }
}
