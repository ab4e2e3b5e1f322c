//! One HTTP/1.1 connection; others are handed on.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, join};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::shared::Open;
use super::{http2, websocket};
use crate::fault::Fault;

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    open: Open,
    since: Instant,
    served: bool,
    number: usize,
}

/// What a handler came to.
enum Done {
    Whole,
    /// The connection is of no more use.
    Broken,
}

pub(super) async fn serve(stream: TcpStream, open: Open, number: usize) {
    let since = Instant::now();
    let mut connection =
        Connection { stream, buffer: Vec::new(), open, since, served: false, number };
    while let Some(head) = connection.head().await {
        if head.starts_with("PRI") || head.to_ascii_lowercase().contains("upgrade: websocket") {
            let Connection { stream, buffer, open, .. } = connection;
            let (reader, writer) = stream.into_split();
            // What was read already comes once more.
            let io = join(std::io::Cursor::new(buffer).chain(reader), writer);
            if head.starts_with("PRI") {
                http2::serve(io, open).await;
            } else {
                websocket::serve(io, open).await;
            }
            return;
        }
        let length = head.len();
        connection.buffer.drain(..length);
        let done = connection.answer(&head).await;
        connection.open.serve_one();
        connection.served = true;
        connection.since = Instant::now();
        if matches!(done, Done::Broken) || (connection.open.stopping() && !keeps(&connection.open))
        {
            if has_unread_body(&head) && !connection.open.is(Fault::ResetsUploads) {
                connection.linger().await;
            }
            return;
        }
    }
}

/// Where it closes idle connections at once, answers say nothing and leave the connection to that.
fn keeps(open: &Open) -> bool {
    open.is(Fault::ClosesIdleAtOnce)
}

/// Only `/echo` reads one.
fn has_unread_body(head: &str) -> bool {
    head.to_ascii_lowercase().contains("content-length:") && !head.contains(" /echo")
}

impl Connection {
    /// Closes its own half, and reads on for a while, so that the kernel has no reason for a reset.
    async fn linger(&mut self) {
        let _ = self.stream.shutdown().await;
        let reading = async {
            while self.stream.read_buf(&mut self.buffer).await.is_ok_and(|n| n > 0) {
                self.buffer.clear();
            }
        };
        let _ = timeout(Duration::from_secs(1), reading).await;
    }

    /// The next whole head, which stays in the buffer; `None` when there will be none.
    async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return Some(String::from_utf8_lossy(&self.buffer[..at + 4]).into_owned());
            }
            let half = !self.buffer.is_empty();
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.buffer) => {
                    if !read.is_ok_and(|n| n > 0) {
                        return None;
                    }
                }
                () = self.open.idle_over(self.since, self.served, half) => {
                    if self.open.is(Fault::ResetsIdle) {
                        let _ = self.stream.set_zero_linger();
                    }
                    return None;
                }
                () = self.open.over(), if !self.open.is(Fault::WaitsForHeads) => {
                    if half {
                        self.refuse("GET").await;
                    }
                    return None;
                }
            }
        }
    }

    async fn answer(&mut self, head: &str) -> Done {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, _) = target.split_once('?').unwrap_or((target, ""));
        let ms = Duration::from_millis(query(target, "ms"));
        if path == "/echo" {
            return self.echo(head, method).await;
        }
        if path == "/stream" {
            return self.stream_lines(query(target, "chunks"), ms).await;
        }
        let drops = self.open.is(Fault::DropsSome) && self.number % 10 == 3;
        let known = matches!(path, "/" | "/sleep" | "/hang" | "/block" | "/starve");
        let handler = async {
            match path {
                "/sleep" => sleep(ms).await,
                "/hang" => std::future::pending().await,
                "/block" => drop(tokio::task::spawn_blocking(move || block(ms)).await),
                "/starve" => block(ms),
                _ => {}
            }
        };
        tokio::select! {
            () = handler => self.respond(if known { "200 OK" } else { "404 Not Found" }, b"OK").await,
            () = self.open.over() => {
                self.refuse(method).await;
                Done::Broken
            }
            () = self.open.stopped(), if drops => Done::Broken,
        }
    }

    async fn echo(&mut self, head: &str, method: &str) -> Done {
        let lower = head.to_ascii_lowercase();
        let length = lower
            .split_once("content-length:")
            .and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
        let length: usize = length.unwrap_or_default();
        if lower.contains("expect: 100-continue") {
            let _ = self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        }
        while self.buffer.len() < length {
            tokio::select! {
                read = self.stream.read_buf(&mut self.buffer) => {
                    if !read.is_ok_and(|n| n > 0) {
                        match () {
                            () if self.open.is(Fault::FallsWithAClient) => std::process::abort(),
                            () if self.open.is(Fault::KeepsTheGone) => self.open.over().await,
                            () => {}
                        }
                        return Done::Broken;
                    }
                }
                () = self.open.stopped(), if self.open.is(Fault::DropsUploads) => return Done::Broken,
                () = self.open.over() => {
                    self.refuse(method).await;
                    return Done::Broken;
                }
            }
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        self.respond("200 OK", &body).await
    }

    async fn stream_lines(&mut self, chunks: u64, pause: Duration) -> Done {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{}\r\n", self.close());
        if self.stream.write_all(head.as_bytes()).await.is_err() {
            return Done::Broken;
        }
        for number in 0..chunks {
            let line = format!("b\r\nchunk {number:04}\n\r\n");
            let open = &self.open;
            tokio::select! {
                () = sleep(if number > 0 { pause } else { Duration::ZERO }) => {}
                () = open.over() => {
                    if open.is(Fault::EndsStreams) {
                        break;
                    }
                    return Done::Broken;
                }
                () = open.stopped(), if open.is(Fault::BreaksStreams) => return Done::Broken,
            }
            if self.stream.write_all(line.as_bytes()).await.is_err() {
                return Done::Broken;
            }
        }
        let ended = self.stream.write_all(b"0\r\n\r\n").await;
        if ended.is_ok() { Done::Whole } else { Done::Broken }
    }

    async fn respond(&mut self, status: &str, body: &[u8]) -> Done {
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{}\r\n", body.len(), self.close());
        let whole = [head.as_bytes(), body].concat();
        let open = &self.open;
        let written = tokio::select! {
            written = self.stream.write_all(&whole) => written.is_ok(),
            () = open.stopped(), if open.is(Fault::ForgetsWrites) => false,
            () = open.over() => false,
        };
        if written { Done::Whole } else { Done::Broken }
    }

    fn close(&self) -> &'static str {
        let says = self.open.stopping() && !self.open.is(Fault::SaysNoClose) && !keeps(&self.open);
        if says { "Connection: close\r\n" } else { "" }
    }

    async fn refuse(&mut self, method: &str) {
        if self.open.is(Fault::CutsAtDeadline) {
            return;
        }
        let invites = method == "GET" || self.open.is(Fault::InvitesAll);
        let again = if invites { "Retry-After: 1\r\n" } else { "" };
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n{again}\r\n"
        );
        let _ = self.stream.write_all(answer.as_bytes()).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "blocking a thread is what these routes are for")]
fn block(time: Duration) {
    std::thread::sleep(time);
}

fn query(target: &str, name: &str) -> u64 {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .find_map(|(_, value)| value.parse().ok())
        .unwrap_or_default()
}

pub(super) fn sleep_ms(target: &str) -> Duration {
    Duration::from_millis(query(target, "ms"))
}
