//! An HTTP/2 client that speaks frame by frame, so that each frame is seen, and what a good client sends can be left
//! out.
//!
//! It allows the server no dynamic header table, so that a status can be read without keeping one (RFC 7541).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::{Client, Dial};
use crate::outcome::Outcome;
use crate::record::{Ending, Exchange, Fact, Micros, Role};
use crate::tape::Tape;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
const STREAM_ID: u32 = (1 << 31) - 1;

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// As it should.
    Good,
    /// It sends the preface, and never its SETTINGS.
    NoSettings,
    /// It never answers a PING.
    NoPong,
}

#[derive(Debug)]
struct Stream {
    role: Role,
    request: String,
    sent: Micros,
    first_byte: Option<Micros>,
    status: Option<u16>,
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Http2 {
    stream: TcpStream,
    tape: Tape,
    connection: u32,
    connect: Micros,
    manners: Manners,
    buffer: Vec<u8>,
    next: u32,
    open: BTreeMap<u32, Stream>,
    /// The server's SETTINGS came.
    greeted: bool,
    /// The server said GOAWAY.
    told: bool,
    ended: Option<Ending>,
}

impl Http2 {
    /// Connects and sends its preface; `None` if it was refused.
    pub(crate) async fn connect(dial: &Dial, tape: &Tape, manners: Manners) -> Option<Self> {
        let connect = tape.now();
        let client = Client::connect(dial, tape, Role::Setup).await?;
        let connection = client.connection();
        let mut http2 = Self {
            stream: client.into_stream(),
            tape: tape.clone(),
            connection,
            connect,
            manners,
            buffer: Vec::new(),
            next: 1,
            open: BTreeMap::new(),
            greeted: false,
            told: false,
            ended: None,
        };
        http2.write(PREFACE).await;
        if manners != Manners::NoSettings {
            // SETTINGS_HEADER_TABLE_SIZE 0.
            http2.frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]).await;
        }
        Some(http2)
    }

    /// Waits for the server's SETTINGS; true if they came.
    pub(crate) async fn greeted(&mut self, within: Duration) -> bool {
        self.until(within, |http2| http2.greeted).await;
        self.greeted
    }

    /// Sends a request without a body on a stream of its own.
    pub(crate) async fn request(&mut self, role: Role, method: &str, path: &str) {
        let id = self.next;
        self.next += 2;
        let pseudo =
            [(":method", method), (":scheme", "http"), (":path", path), (":authority", "probe")];
        let mut block = Vec::new();
        for (name, value) in pseudo {
            // A literal without indexing, its name spelt out (RFC 7541, section 6.2.2); none is as long as 127 bytes.
            block.push(0);
            for text in [name, value] {
                block.push(text.len() as u8);
                block.extend(text.as_bytes());
            }
        }
        let sent = self.tape.now();
        self.frame(HEADERS, END_HEADERS | END_STREAM, id, &block).await;
        let request = format!("{method} {path} (stream {id})");
        self.open.insert(id, Stream { role, request, sent, first_byte: None, status: None });
    }

    /// Reads on until every stream has come to an end, or the connection has.
    pub(crate) async fn responses(&mut self, within: Duration) {
        self.until(within, |http2| http2.open.is_empty()).await;
    }

    /// Reads on for that long; true once no further stream may be opened, as the server has said or shown.
    pub(crate) async fn told_within(&mut self, time: Duration) -> bool {
        self.until(time, |http2| http2.told).await;
        self.told || self.ended.is_some()
    }

    /// Reads on to the end of the connection, and puts all that is open on the tape. If the server has not
    /// ended it, it stays open until the client is dropped.
    pub(crate) async fn end(&mut self, within: Duration) -> Ending {
        self.until(within, |_| false).await;
        let ending = self.ended.unwrap_or(Ending::Open);
        if ending != Ending::Open {
            let _ = shutdown(&self.stream, Shutdown::Both);
        }
        for stream in std::mem::take(&mut self.open).into_values() {
            let outcome = match ending {
                Ending::Open => Outcome::Hung,
                _ if stream.first_byte.is_some() => Outcome::Cut,
                Ending::Closed | Ending::Reset => Outcome::Lost,
            };
            self.conclude(stream, outcome);
        }
        self.tape.fact(Fact::Http2Ended {
            connection: self.connection,
            at: self.tape.now(),
            ending,
        });
        ending
    }

    async fn until(&mut self, within: Duration, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + within;
        while !done(self) && self.ended.is_none() {
            if let Some(frame) = self.take() {
                self.handle(frame).await;
                continue;
            }
            match timeout_at(end.into(), self.stream.read_buf(&mut self.buffer)).await {
                Err(_) => return,
                Ok(Ok(0)) => self.ended = Some(Ending::Closed),
                Ok(Ok(_)) => {}
                Ok(Err(_)) => self.ended = Some(Ending::Reset),
            }
        }
    }

    async fn handle(&mut self, frame: Frame) {
        let Frame { kind, flags, stream: id, payload } = frame;
        match kind {
            SETTINGS if flags & ACK == 0 => {
                self.greeted = true;
                if self.manners != Manners::NoSettings {
                    self.frame(SETTINGS, ACK, 0, &[]).await;
                }
            }
            PING if flags & ACK == 0 && self.manners != Manners::NoPong => {
                self.frame(PING, ACK, 0, &payload).await;
            }
            GOAWAY => {
                let last_stream = number(&payload) & STREAM_ID;
                self.told = true;
                let at = self.tape.now();
                self.tape.fact(Fact::GoAway { connection: self.connection, at, last_stream });
                let refused = self.open.split_off(&last_stream.saturating_add(1));
                for stream in refused.into_values() {
                    self.conclude(stream, Outcome::Refused);
                }
            }
            RST_STREAM => {
                if let Some(stream) = self.open.remove(&id) {
                    let outcome = match () {
                        () if stream.first_byte.is_some() => Outcome::Cut,
                        () if number(&payload) == REFUSED_STREAM => Outcome::Refused,
                        () => Outcome::Lost,
                    };
                    self.conclude(stream, outcome);
                }
            }
            HEADERS | DATA => {
                let now = self.tape.now();
                if let Some(stream) = self.open.get_mut(&id) {
                    stream.first_byte.get_or_insert(now);
                    if kind == HEADERS && stream.status.is_none() {
                        stream.status = status(&payload);
                    }
                }
                if flags & END_STREAM != 0
                    && let Some(stream) = self.open.remove(&id)
                {
                    let turned = matches!(stream.status, Some(429 | 503));
                    self.conclude(
                        stream,
                        if turned { Outcome::TurnedAway } else { Outcome::Answered },
                    );
                }
            }
            _ => {}
        }
    }

    fn conclude(&self, stream: Stream, outcome: Outcome) {
        self.tape.exchange(Exchange {
            connection: self.connection,
            role: stream.role,
            request: stream.request,
            connect: self.connect,
            sent: Some(stream.sent),
            first_byte: stream.first_byte,
            end: self.tape.now(),
            outcome,
            status: stream.status,
            says_close: false,
            retry_after: false,
            detail: None,
        });
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame).await;
    }

    /// A write that fails shows when reading.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    fn take(&mut self) -> Option<Frame> {
        let head = self.buffer.get(..9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags, stream) = (head[3], head[4], number(&head[5..]) & STREAM_ID);
        let payload = self.buffer.get(9..9 + length)?.to_vec();
        self.buffer.drain(..9 + length);
        Some(Frame { kind, flags, stream, payload })
    }
}

/// The first four bytes as a number; 0 if there are not so many.
fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The status at the start of a header block that was made without a dynamic table.
fn status(block: &[u8]) -> Option<u16> {
    // Changes of the table's size come first, if there are any.
    let at = block.iter().position(|byte| byte & 0xe0 != 0x20)?;
    let block = &block[at..];
    match block.first()? {
        // Entries 8 to 14 of the static table.
        0x88 => Some(200),
        0x89 => Some(204),
        0x8a => Some(206),
        0x8b => Some(304),
        0x8c => Some(400),
        0x8d => Some(404),
        0x8e => Some(500),
        // A literal whose name is one of these entries.
        0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e => {
            let length = *block.get(1)?;
            let text = block.get(2..2 + usize::from(length & 0x7f))?;
            if length & 0x80 == 0 {
                str::from_utf8(text).ok()?.parse().ok()
            } else {
                huffman_digits(text)
            }
        }
        _ => None,
    }
}

/// Three digits in HPACK's Huffman code (RFC 7541, appendix B): 0, 1 and 2 take five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> Option<u16> {
    let bits = bytes.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let mut left = bytes.len() * 8;
    let mut value = 0;
    for _ in 0..3 {
        let five = bits.checked_shr(u32::try_from(left.checked_sub(5)?).ok()?)? & 0x1f;
        let digit = if five <= 2 {
            left -= 5;
            five
        } else {
            let six = bits.checked_shr(u32::try_from(left.checked_sub(6)?).ok()?)? & 0x3f;
            left -= 6;
            six.checked_sub(0x16).filter(|digit| (3..=9).contains(digit))?
        };
        value = value * 10 + digit as u16;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_is_read_however_it_is_written() {
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x20, 0x8d]), Some(404), "behind a change of the table's size");
        assert_eq!(status(b"\x08\x03503"), Some(503));
        // RFC 7541, appendix C.6.1: 302.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        // 503: 011011 00000 011001, filled up with ones.
        assert_eq!(status(&[0x48, 0x83, 0b0110_1100, 0b0000_1100, 0b1111_1111]), Some(503));
        assert_eq!(status(&[]), None);
    }
}
