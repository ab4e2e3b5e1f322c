//! One HTTP/1.1 connection, byte by byte, with a limit on everything; plain or over TLS.
//!
//! A send that fails isn't yet a verdict: the server may have answered early and closed. So it is only noted, and
//! reading the response decides.
//!
//! Over TLS an end of the stream is one that close_notify announced. Any other is a truncation, and counts as a reset,
//! as TLS libraries have it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::ending::Ending;
use crate::failure::Failure;
use crate::relay;
use crate::session::{NoWait, Session, only_tls12, speaks_tls, trusting_anyone};
use lameduck_probe::Look;
use lameduck_probe::http1::{Response, ResponseReader, find_bytes};

/// How long a connect may take, and a response to its last byte, if nothing else is said.
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(15);
/// How long connecting waits for the handshake. One that is not done by then goes on while the client sends and reads:
/// the server may have good reason not to have accepted yet.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// A connection to a server. Dropping it closes it.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    tls: Option<Box<Session>>,
    /// Read from the socket and not yet taken by a response.
    buffer: Vec<u8>,
    limit: Duration,
    /// Bytes of the current request that the kernel took.
    sent: usize,
    send_failed: bool,
    /// A reset is reported by the kernel only once.
    was_reset: bool,
    /// The stream ended, but TLS did not.
    truncated: bool,
}

/// What one read brought.
enum Input {
    Some,
    Eof,
    Reset,
    Late,
}

impl Client {
    /// Connects within 5 s: over TLS after [`speak_tls`](crate::speak_tls), else plainly.
    ///
    /// # Errors
    /// [`Failure::Refused`], or [`Failure::Local`] if it is the client's own fault. Over TLS also [`Failure::Reset`] if
    /// the connection ended during the handshake.
    pub fn connect(addr: SocketAddr) -> Result<Self, Failure> {
        if speaks_tls() { Self::connect_tls(addr) } else { Self::connect_plain(addr) }
    }

    /// The same for a client of HTTP/2, which says so by ALPN.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_http2(addr: SocketAddr) -> Result<Self, Failure> {
        if speaks_tls() {
            Self::connect_silent(addr, &["h2"])?.shake_hands()
        } else {
            Self::connect_plain(addr)
        }
    }

    /// Connects over TLS, for HTTP/1.1.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_tls(addr: SocketAddr) -> Result<Self, Failure> {
        Self::connect_silent(addr, &["http/1.1"])?.shake_hands()
    }

    /// The same with TLS 1.2 and no later version.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_tls12(addr: SocketAddr) -> Result<Self, Failure> {
        let mut client = Self::connect_plain(addr)?;
        let session = Session::new(only_tls12(&["http/1.1"])).map_err(local)?;
        client.tls = Some(Box::new(session));
        client.shake_hands()
    }

    /// Connects for TLS, offering `protocols` by ALPN, but sends nothing yet: the handshake begins when something is
    /// sent or read.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_silent(addr: SocketAddr, protocols: &[&str]) -> Result<Self, Failure> {
        let mut client = Self::connect_plain(addr)?;
        let session = Session::new(trusting_anyone(protocols)).map_err(local)?;
        client.tls = Some(Box::new(session));
        Ok(client)
    }

    /// Goes through the handshake, for a second at most.
    fn shake_hands(mut self) -> Result<Self, Failure> {
        let end = Instant::now() + HANDSHAKE;
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.is_handshaking()) {
            while tls.has_outgoing() {
                // A write to a new socket does not wait; one that fails shows when reading.
                if tls.flush(&mut self.socket).is_err() {
                    break;
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.socket
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(local)?;
            match tls.take_in(&mut self.socket) {
                Ok(0) => return Err(Failure::Reset),
                Ok(_) => {}
                Err(error) if retry(&error) => {}
                Err(_) => return Err(Failure::Reset),
            }
        }
        Ok(self)
    }

    /// Connects without TLS, whatever [`speak_tls`](crate::speak_tls) says.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_plain(addr: SocketAddr) -> Result<Self, Failure> {
        let client = Self::open(Domain::for_address(addr), &addr.into())?;
        // Without it Nagle's algorithm would hold back the second of two small sends for a round trip.
        client.socket.set_tcp_nodelay(true).map_err(local)?;
        Ok(client)
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_unix(path: impl AsRef<Path>) -> Result<Self, Failure> {
        Self::open(Domain::UNIX, &SockAddr::unix(path).map_err(local)?)
    }

    fn open(domain: Domain, addr: &SockAddr) -> Result<Self, Failure> {
        let socket = Socket::new(domain, Type::STREAM, None).map_err(local)?;
        socket.connect_timeout(addr, CONNECT).map_err(|error| {
            // These are the client machine's own limits; all else is the other side's doing.
            let own =
                [ErrorKind::AddrNotAvailable, ErrorKind::PermissionDenied, ErrorKind::OutOfMemory];
            if own.contains(&error.kind()) {
                local(error)
            } else {
                Failure::Refused(error.to_string())
            }
        })?;
        Ok(Self {
            socket,
            tls: None,
            buffer: Vec::new(),
            limit: READ,
            sent: 0,
            send_failed: false,
            was_reset: false,
            truncated: false,
        })
    }

    /// The same with another limit on a response, from its first read to its last byte (15 s if nothing is said).
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Our own address, which a server's report calls the peer. `None` on a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// The socket, for options.
    #[must_use]
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Sends bytes as they are; a send that can't go on because the connection ended is only noted.
    ///
    /// # Errors
    /// [`Failure::Hung`] if the server doesn't take them within the limit.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let end = Instant::now() + self.limit;
        if self.tls.is_some() {
            return self.send_encrypted(bytes, end);
        }
        self.send_plain(bytes, end)
    }

    /// Whether a send could not go on because the connection ended. A client that reads nothing learns its end by that.
    #[must_use]
    pub fn send_failed(&self) -> bool {
        self.send_failed
    }

    /// Sends bytes below TLS.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.send_plain(bytes, Instant::now() + self.limit)
    }

    /// What TLS makes of these bytes, to be sent by [`send_raw`](Self::send_raw); with no bytes what it has to say
    /// itself, such as the beginning of the handshake.
    ///
    /// # Panics
    /// On a connection without TLS.
    pub fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        let tls = self.tls.as_mut().expect("a connection over TLS");
        tls.write(bytes).and_then(|()| tls.take_outgoing()).expect("memory takes all")
    }

    /// What changing our keys sends (TLS 1.3), to be sent by [`send_raw`](Self::send_raw): a record in which nothing is
    /// for HTTP.
    ///
    /// # Panics
    /// On a connection without TLS 1.3, or before its handshake is done.
    pub fn update_keys(&mut self) -> Vec<u8> {
        let tls = self.tls.as_mut().expect("a connection over TLS");
        tls.update_keys().and_then(|()| tls.take_outgoing()).expect("keys of TLS 1.3")
    }

    /// The server's certificate in DER; `None` without TLS, or before the handshake is done.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.tls.as_ref()?.certificate()
    }

    /// What ALPN came to.
    #[must_use]
    pub fn protocol(&self) -> Option<Vec<u8>> {
        self.tls.as_ref()?.protocol()
    }

    /// Whether the stream ended without close_notify.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    fn send_encrypted(&mut self, bytes: &[u8], end: Instant) -> Result<(), Failure> {
        // A piece for each record, so that what cannot be sent does not pile up here.
        for piece in bytes.chunks(16 * 1024) {
            if self.send_failed {
                break;
            }
            let Some(tls) = &mut self.tls else { break };
            tls.write(piece).map_err(local)?;
            self.flush_encrypted(end)?;
        }
        Ok(())
    }

    fn flush_encrypted(&mut self, end: Instant) -> Result<(), Failure> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        if tls.is_handshaking() {
            // What it has to read comes when it comes; reading the response decides.
            let _ = tls.take_in(&mut NoWait(&self.socket));
        }
        while tls.has_outgoing() && !self.send_failed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Hung { received: Vec::new() });
            }
            self.socket
                .set_write_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(local)?;
            match tls.flush(&mut self.socket) {
                Ok(n) => self.sent += n,
                Err(error) if retry(&error) => {}
                Err(error) => {
                    self.send_failed = true;
                    self.was_reset |= error.kind() == ErrorKind::ConnectionReset;
                }
            }
        }
        Ok(())
    }

    fn send_plain(&mut self, bytes: &[u8], end: Instant) -> Result<(), Failure> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.send_failed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Hung { received: Vec::new() });
            }
            self.socket
                .set_write_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(local)?;
            match self.socket.write(rest) {
                Ok(n) => {
                    self.sent += n;
                    rest = &rest[n..];
                }
                Err(error) if retry(&error) => {}
                Err(error) => {
                    self.send_failed = true;
                    self.was_reset |= error.kind() == ErrorKind::ConnectionReset;
                }
            }
        }
        Ok(())
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn get(&mut self, path: &str) -> Result<(), Failure> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())
    }

    /// Sends a POST with a length.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn post(&mut self, path: &str, body: &[u8]) -> Result<(), Failure> {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Reads one whole response to a request that is no HEAD.
    ///
    /// # Errors
    /// The [`Failure`] tells exactly how it ended instead.
    pub fn read_response(&mut self) -> Result<Response, Failure> {
        self.read_response_to("GET")
    }

    /// Reads one whole response to a request of that method. Interim responses are skipped and recorded; a 101 is
    /// final, and what follows it stays to be read.
    ///
    /// # Errors
    /// The [`Failure`] tells exactly how it ended instead.
    pub fn read_response_to(&mut self, method: &str) -> Result<Response, Failure> {
        let end = Instant::now() + self.limit;
        let result = self.response(method, end);
        self.sent = 0;
        result
    }

    /// Waits until `text` lies unread, the head included, and leaves it there: "the head is out", "chunk 3 came".
    ///
    /// # Errors
    /// As reading a response.
    pub fn wait_for(&mut self, text: &str, within: Duration) -> Result<(), Failure> {
        let end = Instant::now() + within;
        while find_bytes(&self.buffer, text.as_bytes()).is_none() {
            match self.fill(end)? {
                Input::Some => {}
                ended @ (Input::Eof | Input::Reset | Input::Late) => return Err(self.ended(&ended)),
            }
        }
        Ok(())
    }

    /// Takes what is there, or what comes next within the time; empty if nothing does or the connection ended.
    pub fn read_some(&mut self, within: Duration) -> Vec<u8> {
        if self.buffer.is_empty() {
            let _ = self.fill(Instant::now() + within);
        }
        std::mem::take(&mut self.buffer)
    }

    /// What a client can know before it sends; takes nothing, waits for nothing.
    pub fn look(&mut self) -> Look {
        if !self.buffer.is_empty() {
            return Look::Bytes;
        }
        if self.was_reset {
            return Look::Reset;
        }
        if self.tls.is_some() {
            return self.look_encrypted();
        }
        match recv(&self.socket, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Look::Eof,
            Ok(_) => Look::Bytes,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Look::Open,
            Err(_) => {
                self.was_reset = true;
                Look::Reset
            }
        }
    }

    /// The same over TLS, where the socket may hold what is not for the client.
    fn look_encrypted(&mut self) -> Look {
        let Some(tls) = &mut self.tls else { return Look::Open };
        let mut block = [0; 16 * 1024];
        match tls.read(&mut NoWait(&self.socket), &mut block) {
            Ok(0) => Look::Eof,
            Ok(n) => {
                self.buffer.extend_from_slice(&block[..n]);
                Look::Bytes
            }
            Err(error) if retry(&error) => Look::Open,
            Err(error) => {
                self.truncated |= error.kind() == ErrorKind::UnexpectedEof;
                self.was_reset = true;
                Look::Reset
            }
        }
    }

    /// What comes next on a connection on which nothing more is expected.
    pub fn ending(&mut self, within: Duration) -> Ending {
        if self.buffer.is_empty() {
            match self.fill(Instant::now() + within) {
                Ok(Input::Some) => {}
                Ok(Input::Eof) => return Ending::Eof,
                Ok(Input::Late) => return Ending::Open,
                Ok(Input::Reset) | Err(_) => return Ending::Reset,
            }
        }
        Ending::Bytes(std::mem::take(&mut self.buffer))
    }

    /// True if the server ends the stream within the time, without a byte more and without a reset.
    pub fn closed_cleanly(&mut self, within: Duration) -> bool {
        self.ending(within) == Ending::Eof
    }

    /// Ends our stream; the server's may go on.
    pub fn half_close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye();
            let _ = self.flush_encrypted(Instant::now() + self.limit);
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub fn reset(mut self) {
        self.tls = None;
        let _ = self.socket.set_linger(Some(Duration::ZERO));
    }

    fn response(&mut self, method: &str, end: Instant) -> Result<Response, Failure> {
        let mut reader = ResponseReader::new(method);
        let mut ended = None;
        loop {
            match reader.advance(&mut self.buffer, matches!(ended, Some(Input::Eof))) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) => {}
                Err(_) if relay::says_refused(&self.buffer) => {
                    return Err(Failure::Refused("connection refused behind the relay".to_owned()));
                }
                Err(what) => return Err(Failure::Malformed(what)),
            }
            if let Some(ended) = ended {
                return Err(self.ended(&ended));
            }
            let input = self.fill(end)?;
            ended = (!matches!(input, Input::Some)).then_some(input);
        }
    }

    /// The verdict on a response that didn't come to its end.
    fn ended(&mut self, how: &Input) -> Failure {
        let received = std::mem::take(&mut self.buffer);
        match how {
            Input::Some | Input::Late => Failure::Hung { received },
            Input::Eof | Input::Reset if !received.is_empty() => {
                Failure::Cut { reset: matches!(how, Input::Reset), received }
            }
            Input::Eof | Input::Reset if self.send_failed && self.sent == 0 => Failure::Unsent,
            Input::Eof => Failure::Closed,
            Input::Reset => Failure::Reset,
        }
    }

    fn fill(&mut self, end: Instant) -> Result<Input, Failure> {
        let mut block = [0; 16 * 1024];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Input::Late);
            }
            self.socket
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(local)?;
            let read = match &mut self.tls {
                None => self.socket.read(&mut block),
                Some(tls) => tls.read(&mut self.socket, &mut block),
            };
            match read {
                Ok(0) if self.was_reset => return Ok(Input::Reset),
                Ok(0) => return Ok(Input::Eof),
                Ok(n) => {
                    self.buffer.extend_from_slice(&block[..n]);
                    return Ok(Input::Some);
                }
                Err(error) if retry(&error) => {}
                Err(error) => {
                    self.truncated |= error.kind() == ErrorKind::UnexpectedEof;
                    self.was_reset = true;
                    return Ok(Input::Reset);
                }
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            // As clients do; one that cannot say it at once does without.
            tls.say_goodbye();
            let _ = tls.flush(&mut NoWait(&self.socket));
        }
    }
}

fn local(error: std::io::Error) -> Failure {
    Failure::Local(error.to_string())
}

/// Interrupted, or the socket's own time-out: the caller looks at the clock.
fn retry(error: &std::io::Error) -> bool {
    [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind())
}
