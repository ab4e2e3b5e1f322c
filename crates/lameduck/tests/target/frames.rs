//! An HTTP/2 client that speaks frame by frame, and so can leave out what a good one would send.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Ending};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a GOAWAY says that announces another.
pub(crate) const MAX_STREAM: u32 = (1 << 31) - 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The last stream that a GOAWAY says will be processed.
    pub(crate) fn last_stream(&self) -> u32 {
        assert_eq!(self.kind, GOAWAY, "{self:?}");
        u32::from_be_bytes(self.payload[..4].try_into().unwrap()) & MAX_STREAM
    }

    pub(crate) fn ends_stream(&self, stream: u32) -> bool {
        self.stream == stream
            && (self.kind == RST_STREAM || (self.kind <= HEADERS && self.flags & END_STREAM != 0))
    }

    pub(crate) fn resets(&self, stream: u32) -> bool {
        self.stream == stream && self.kind == RST_STREAM
    }
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Frame(Frame),
    /// The connection ended in order.
    Eof,
    Reset,
    Nothing,
}

#[derive(Debug)]
pub(crate) struct RawHttp2 {
    pub(crate) client: Client,
    buffer: Vec<u8>,
    /// Whether PINGs are answered.
    pub(crate) pongs: bool,
    seen: Vec<Frame>,
}

impl RawHttp2 {
    /// Sends nothing yet.
    pub(crate) fn silent(addr: SocketAddr) -> RawHttp2 {
        let client = Client::connect_http2(addr).expect("the server listens");
        RawHttp2 { client, buffer: Vec::new(), pongs: true, seen: Vec::new() }
    }

    /// Sends the preface and SETTINGS, and reads the server's.
    pub(crate) fn connect(addr: SocketAddr) -> RawHttp2 {
        let mut http2 = RawHttp2::silent(addr);
        http2.client.send(PREFACE).unwrap();
        http2.send(SETTINGS, 0, 0, &[]);
        http2.until("SETTINGS", |frame| frame.kind == SETTINGS && frame.flags & ACK == 0);
        http2.send(SETTINGS, ACK, 0, &[]);
        http2
    }

    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.client.send(&frame).unwrap();
    }

    /// A whole GET.
    pub(crate) fn get(&mut self, stream: u32, path: &str) {
        self.head(stream, "GET", path, &[], true);
    }

    /// The head of a request; no name or value may be longer than 126 bytes.
    pub(crate) fn head(
        &mut self,
        stream: u32,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        ends: bool,
    ) {
        let pseudo =
            [(":method", method), (":scheme", "http"), (":path", path), (":authority", "test")];
        let mut block = Vec::new();
        for (name, value) in pseudo.iter().chain(headers) {
            // A literal without indexing, its name spelt out (RFC 7541, section 6.2.2).
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).unwrap());
                block.extend(text.as_bytes());
            }
        }
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.send(HEADERS, flags, stream, &block);
    }

    /// Lets the server send that much more, on the stream and the connection.
    pub(crate) fn widen(&mut self, stream: u32, by: u32) {
        self.send(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
        self.send(WINDOW_UPDATE, 0, 0, &by.to_be_bytes());
    }

    /// The next frame that is no SETTINGS' acknowledgement or WINDOW_UPDATE; answers PINGs on the way, if it is to.
    pub(crate) fn next(&mut self, within: Duration) -> Next {
        let end = Instant::now() + within;
        loop {
            while let Some(frame) = self.take() {
                self.seen.push(frame.clone());
                if frame.kind == PING && frame.flags & ACK == 0 && self.pongs {
                    let payload = frame.payload.clone();
                    self.send(PING, ACK, 0, &payload);
                }
                let dull = frame.kind == WINDOW_UPDATE
                    || (frame.kind == SETTINGS && frame.flags & ACK != 0);
                if !dull {
                    return Next::Frame(frame);
                }
            }
            match self.client.ending(end.saturating_duration_since(Instant::now())) {
                Ending::Bytes(bytes) => self.buffer.extend(bytes),
                Ending::Eof => return Next::Eof,
                Ending::Reset => return Next::Reset,
                Ending::Open => return Next::Nothing,
            }
        }
    }

    /// Reads on to the first frame of which `f` holds, for 5 s at most.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, f: impl Fn(&Frame) -> bool) -> Frame {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            match self.next(end.saturating_duration_since(Instant::now())) {
                Next::Frame(frame) if f(&frame) => return frame,
                Next::Frame(_) => {}
                end @ (Next::Eof | Next::Reset | Next::Nothing) => {
                    panic!("{end:?} instead of {what}, after {:?}", self.seen)
                }
            }
        }
    }

    /// Waits until the server lets us send more than 64 KB on the connection.
    #[track_caller]
    pub(crate) fn wait_for_window(&mut self) {
        let opened = |frame: &Frame| frame.kind == WINDOW_UPDATE && frame.stream == 0;
        let end = Instant::now() + Duration::from_secs(5);
        while !self.seen.iter().any(opened) {
            assert!(Instant::now() < end, "no WINDOW_UPDATE: {:?}", self.seen);
            let _ = self.next(Duration::from_millis(10));
        }
    }

    /// Reads to the end of a response and returns its body.
    #[track_caller]
    pub(crate) fn body(&mut self, stream: u32) -> Vec<u8> {
        let already = self.seen.len();
        let last = self.until("the end of a response", |frame| frame.ends_stream(stream));
        assert_ne!(last.kind, RST_STREAM, "{:?}", self.seen);
        let own = self.seen[already..].iter().filter(|frame| frame.stream == stream);
        own.filter(|frame| frame.kind == DATA).flat_map(|frame| frame.payload.clone()).collect()
    }

    /// All frames that came.
    pub(crate) fn seen(&self) -> &[Frame] {
        &self.seen
    }

    /// Reads on until the connection ends.
    pub(crate) fn end(&mut self, within: Duration) -> Next {
        let end = Instant::now() + within;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())) {
                Next::Frame(_) => {}
                end @ (Next::Eof | Next::Reset | Next::Nothing) => return end,
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head = self.buffer.get(..9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap()) & MAX_STREAM;
        let payload = self.buffer.get(9..9 + length)?.to_vec();
        self.buffer.drain(..9 + length);
        Some(Frame { kind, flags, stream, payload })
    }
}
