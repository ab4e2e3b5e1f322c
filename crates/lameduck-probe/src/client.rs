//! One HTTP/1.1 connection, byte by byte, with a limit on everything and each event on the tape.
//!
//! 1. A send that fails isn't yet a verdict: the server may have answered early and closed. So it is only noted, and
//!    reading the response decides.
//! 2. A client that keeps its connection looks whether it still is one before it sends: what it can know is no loss.
//! 3. It hangs up once the server has said, or shown, that the connection ends: a server that waits for that is not
//!    kept waiting.
//! 4. Every request that was begun ends as one exchange on the tape.

mod dial;
mod http2;
mod load;
mod random;
mod ready;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout_at};

pub(crate) use self::dial::Dial;
pub(crate) use self::http2::{Http2, Manners};
pub(crate) use self::load::{KeepAlive, Loading, fresh, keep_alive};
pub(crate) use self::ready::{get_status, watch_readiness};
use crate::http1::{Response, ResponseReader, find_bytes};
use crate::look::Look;
use crate::outcome::Outcome;
use crate::record::{Ending, Exchange, Micros, Role, Silence};
use crate::tape::Tape;

/// How long a response may take once its case waits for it, if nothing else is said.
pub(crate) const READ: Duration = Duration::from_secs(15);

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Some,
    Eof,
    Reset,
    Late,
}

/// Why there is no whole response.
#[derive(Debug)]
enum Failure {
    Ended(Input),
    Malformed(String),
    /// The client itself ended it, as its case wants.
    BrokenOff,
}

/// The request under way.
#[derive(Debug)]
struct Current {
    role: Role,
    request: String,
    sent: Option<Micros>,
    first_byte: Option<Micros>,
}

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    tape: Tape,
    dial: Dial,
    local: Option<SocketAddr>,
    connection: u32,
    connect: Micros,
    role: Role,
    limit: Duration,
    current: Option<Current>,
    /// Read from the socket and not yet taken by a response.
    buffer: Vec<u8>,
    /// Responses that were whole.
    answered: u32,
    send_failed: bool,
    /// A reset is reported by the kernel only once.
    was_reset: bool,
}

impl Client {
    /// Connects. A connect that fails is an exchange on the tape, and `None`.
    pub(crate) async fn connect(dial: &Dial, tape: &Tape, role: Role) -> Option<Self> {
        let connection = tape.connection();
        let connect = tape.now();
        match dial.stream().await {
            Ok(stream) => Some(Self {
                local: stream.local_addr().ok(),
                stream,
                tape: tape.clone(),
                dial: dial.clone(),
                connection,
                connect,
                role,
                limit: READ,
                current: None,
                buffer: Vec::new(),
                answered: 0,
                send_failed: false,
                was_reset: false,
            }),
            Err(error) => {
                tape.exchange(Exchange {
                    connection,
                    role,
                    request: "connect".to_owned(),
                    connect,
                    sent: None,
                    first_byte: None,
                    end: tape.now(),
                    outcome: dial::outcome(&error),
                    status: None,
                    says_close: false,
                    retry_after: false,
                    detail: Some(error.to_string()),
                });
                None
            }
        }
    }

    /// The same with another limit on a response.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What it does from here on has that role.
    pub(crate) fn role(&mut self, role: Role) {
        self.role = role;
    }

    /// Whether the server behind a relay refused this connection.
    pub(crate) fn was_refused(&self) -> bool {
        self.dial.was_refused(self.local)
    }

    /// The number of the connection on the tape.
    pub(crate) fn connection(&self) -> u32 {
        self.connection
    }

    /// The stream itself, for another protocol than HTTP/1.1.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Begins a request and sends its first bytes; more go by [`send`](Self::send).
    pub(crate) async fn ask(&mut self, request: &str, bytes: &[u8]) {
        self.begin(request);
        self.send(bytes).await;
    }

    /// Begins a GET of that path.
    pub(crate) async fn get(&mut self, path: &str) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: probe\r\n\r\n");
        self.ask(&format!("GET {path}"), head.as_bytes()).await;
    }

    /// Begins a GET of that path, the only one on this connection.
    pub(crate) async fn get_and_close(&mut self, path: &str) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
        self.ask(&format!("GET {path}"), head.as_bytes()).await;
    }

    /// Begins a POST of that path; its head alone.
    pub(crate) async fn post(&mut self, path: &str, length: usize, more: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: probe\r\nContent-Length: {length}\r\n{more}\r\n"
        );
        self.ask(&format!("POST {path}"), head.as_bytes()).await;
    }

    fn begin(&mut self, request: &str) {
        let current =
            Current { role: self.role, request: request.to_owned(), sent: None, first_byte: None };
        self.current = Some(current);
    }

    /// Notes a request whose bytes went out with those of the one before.
    pub(crate) fn begin_sent(&mut self, request: &str) {
        self.begin(request);
        if let Some(current) = &mut self.current {
            current.sent = Some(self.tape.now());
            if !self.buffer.is_empty() {
                current.first_byte = current.sent;
            }
        }
    }

    /// Sends bytes as they are; a send that can't go on because the connection ended is only noted.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let end = Instant::now() + self.limit;
        let mut rest = bytes;
        while !rest.is_empty() && !self.send_failed {
            match timeout_at(end.into(), self.stream.write(rest)).await {
                Ok(Ok(n)) => {
                    rest = &rest[n..];
                    if let Some(current) = &mut self.current {
                        current.sent.get_or_insert(self.tape.now());
                    }
                }
                // It does not take them: reading the response says what that means.
                Err(_) => return,
                Ok(Err(error)) => {
                    self.send_failed = true;
                    self.was_reset |= error.kind() == std::io::ErrorKind::ConnectionReset;
                }
            }
        }
    }

    /// Reads the response to the request under way, and puts the exchange on the tape. `None`: it is not whole.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        let end = Instant::now() + self.limit;
        let result = self.read_response(end).await;
        self.conclude(result)
    }

    /// Reads the first `pieces` pieces of it slowly, with that pause before each, and then the rest.
    pub(crate) async fn response_slowly(
        &mut self,
        pieces: u32,
        piece: usize,
        pause: Duration,
    ) -> Option<Response> {
        let end = Instant::now() + self.limit;
        for _ in 0..pieces {
            sleep(pause).await;
            if self.fill(end, piece).await != Input::Some {
                break;
            }
        }
        self.response().await
    }

    /// Reads the response while it sends on, a piece before each pause, as long as `pieces` lasts and the response is
    /// not there; and then for `more` pieces. The exchange goes on the tape, and how the connection ended meanwhile: by
    /// the client itself, if it did not.
    ///
    /// A piece that the kernel has no room for is left out: nobody reads this body.
    pub(crate) async fn response_while_sending(
        &mut self,
        piece: &[u8],
        pause: Duration,
        pieces: u32,
        more: u32,
    ) {
        let mut reader = ResponseReader::new("GET");
        let mut concluded = false;
        let (mut ended, mut left) = (None, pieces);
        while left > 0 && !self.was_reset {
            left -= 1;
            match self.stream.try_write(piece) {
                Err(error) if !is_busy(&error) => self.was_reset = true,
                Ok(_) | Err(_) => {}
            }
            let next = Instant::now() + pause;
            while ended.is_none() {
                match self.fill(next, 64 * 1024).await {
                    Input::Some => {}
                    Input::Late => break,
                    input @ (Input::Eof | Input::Reset) => ended = Some(input),
                }
                if concluded {
                    continue;
                }
                let result = reader.advance(&mut self.buffer, ended == Some(Input::Eof));
                let result = match (result, ended) {
                    (Err(what), _) => Err(Failure::Malformed(what)),
                    (Ok(Some(response)), _) => Ok(response),
                    (Ok(None), Some(ended)) => Err(Failure::Ended(ended)),
                    (Ok(None), None) => continue,
                };
                self.record(result);
                (concluded, left) = (true, more);
            }
            tokio::time::sleep_until(next.into()).await;
        }
        if !concluded {
            let input = if self.was_reset { Input::Reset } else { Input::Late };
            self.record(Err(Failure::Ended(input)));
        }
        self.hang_up();
        let ending = if self.was_reset { Ending::Reset } else { Ending::Closed };
        self.note_ending(ending);
    }

    /// Breaks off in the middle of what it does: its kernel sends a reset. Its exchange says so.
    pub(crate) fn break_off(mut self) {
        self.record(Err(Failure::BrokenOff));
        let _ = self.stream.set_zero_linger();
    }

    /// Waits until `text` lies unread, the head included, and leaves it there; false if it does not come.
    pub(crate) async fn wait_for(&mut self, text: &str, within: Duration) -> bool {
        let end = Instant::now() + within;
        while find_bytes(&self.buffer, text.as_bytes()).is_none() {
            if self.fill(end, 16 * 1024).await != Input::Some {
                return false;
            }
        }
        true
    }

    /// True if nothing comes within the time, and the connection stays open.
    pub(crate) async fn stays_silent(&mut self, within: Duration) -> bool {
        self.fill(Instant::now() + within, 1024).await == Input::Late
    }

    /// What a client can know before it sends. It takes nothing, waits for nothing, and asks the kernel itself: the
    /// runtime may not have heard yet.
    pub(crate) fn look(&mut self) -> Look {
        if !self.buffer.is_empty() {
            return Look::Bytes;
        }
        if self.was_reset {
            return Look::Reset;
        }
        match recv(&self.stream, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Look::Eof,
            Ok(_) => Look::Bytes,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Look::Open,
            Err(_) => {
                self.was_reset = true;
                Look::Reset
            }
        }
    }

    /// Waits for the end of a connection on which nothing is asked, and puts it on the tape.
    pub(crate) async fn silence(&mut self, within: Duration) -> Ending {
        let end = Instant::now() + within;
        let ending = loop {
            match self.fill(end, 16 * 1024).await {
                Input::Some => {}
                Input::Eof => break Ending::Closed,
                Input::Reset => break Ending::Reset,
                Input::Late => break Ending::Open,
            }
        };
        if ending != Ending::Open {
            self.hang_up();
        }
        self.note_ending(ending);
        ending
    }

    fn note_ending(&self, ending: Ending) {
        self.tape.silence(Silence {
            connection: self.connection,
            role: self.role,
            connect: self.connect,
            end: self.tape.now(),
            ending,
        });
    }

    async fn read_response(&mut self, end: Instant) -> Result<Response, Failure> {
        let mut reader = ResponseReader::new("GET");
        let mut ended = None;
        loop {
            let whole = reader.advance(&mut self.buffer, ended == Some(Input::Eof));
            match (whole.map_err(Failure::Malformed)?, ended) {
                (Some(response), _) => return Ok(response),
                (None, Some(ended)) => return Err(Failure::Ended(ended)),
                (None, None) => {}
            }
            let input = self.fill(end, 64 * 1024).await;
            ended = (input != Input::Some).then_some(input);
        }
    }

    async fn fill(&mut self, end: Instant, most: usize) -> Input {
        let mut block = vec![0; most];
        loop {
            match timeout_at(end.into(), self.stream.read(&mut block)).await {
                Err(_) => return Input::Late,
                Ok(Ok(0)) if self.was_reset => return Input::Reset,
                Ok(Ok(0)) => return Input::Eof,
                Ok(Ok(n)) => {
                    if let Some(current) = &mut self.current {
                        current.first_byte.get_or_insert(self.tape.now());
                    }
                    self.buffer.extend_from_slice(&block[..n]);
                    return Input::Some;
                }
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(Err(_)) => {
                    self.was_reset = true;
                    return Input::Reset;
                }
            }
        }
    }

    /// Ends the exchange, and hangs up if nothing more can come.
    fn conclude(&mut self, result: Result<Response, Failure>) -> Option<Response> {
        let ends = match &result {
            Ok(response) => response.says_close(),
            Err(Failure::Ended(input)) => *input != Input::Late,
            Err(Failure::Malformed(_) | Failure::BrokenOff) => true,
        };
        let response = self.record(result);
        if ends {
            self.hang_up();
        }
        response
    }

    /// Ends the exchange: what came of it goes on the tape.
    fn record(&mut self, result: Result<Response, Failure>) -> Option<Response> {
        let current = self.current.take()?;
        let (outcome, detail) = match &result {
            Ok(response) => (response.outcome(), None),
            Err(Failure::Malformed(what)) => {
                (Outcome::Bad, Some(format!("no HTTP response: {what}")))
            }
            Err(Failure::BrokenOff) => {
                (Outcome::Bad, Some("the client broke off, as the case wants".to_owned()))
            }
            Err(Failure::Ended(Input::Late)) => (Outcome::Hung, None),
            Err(Failure::Ended(_)) if self.was_refused() => (Outcome::Refused, None),
            Err(Failure::Ended(input)) => {
                let how =
                    if *input == Input::Reset { "by a reset" } else { "by the end of the stream" };
                // To a client that only just connected the server had taken it: that one counts even unsent.
                let kept = self.answered > 0 || matches!(current.role, Role::Late | Role::InFlight);
                let outcome = match () {
                    () if !self.buffer.is_empty() => Outcome::Cut,
                    () if current.sent.is_none() && kept => Outcome::Refused,
                    () => Outcome::Lost,
                };
                (outcome, Some(how.to_owned()))
            }
        };
        let head = match &result {
            Ok(response) => Some((
                response.status,
                response.says_close(),
                response.header("retry-after").is_some(),
            )),
            Err(_) => self.status().map(|status| (status, false, false)),
        };
        let (status, says_close, retry_after) =
            head.map_or((None, false, false), |(s, c, r)| (Some(s), c, r));
        self.tape.exchange(Exchange {
            connection: self.connection,
            role: current.role,
            request: current.request,
            connect: self.connect,
            sent: current.sent,
            first_byte: current.first_byte,
            end: self.tape.now(),
            outcome,
            status,
            says_close,
            retry_after,
            detail,
        });
        self.answered += u32::from(result.is_ok());
        result.ok()
    }

    fn hang_up(&self) {
        let _ = shutdown(&self.stream, Shutdown::Both);
    }

    /// The status of a response that is not whole, if that much of it came.
    fn status(&self) -> Option<u16> {
        self.buffer
            .strip_prefix(b"HTTP/1.1 ")?
            .get(..3)
            .and_then(|code| str::from_utf8(code).ok()?.parse().ok())
    }
}

/// Nothing is wrong: it has to be tried again.
fn is_busy(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
