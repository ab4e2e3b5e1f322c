//! Reads one response out of bytes that come bit by bit.

use std::time::Instant;

use super::Response;
use super::parse::{self, ChunkReader, Chunked, Framing, Head};

/// Reads one whole response. Interim ones (1xx) are skipped and recorded; a 101 is final, and what follows it stays in
/// the buffer.
#[derive(Debug)]
pub struct ResponseReader {
    method: String,
    interim: Vec<u16>,
    head: Option<(Head, Framing)>,
    chunks: ChunkReader,
}

impl ResponseReader {
    /// To a request of that method.
    #[must_use]
    pub fn new(method: &str) -> Self {
        let chunks = ChunkReader::default();
        Self { method: method.to_owned(), interim: Vec::new(), head: None, chunks }
    }

    /// `buffer` is all that came and was not yet taken, and `ended` whether the stream ended in order behind it. A
    /// whole response is taken out of the buffer; `None` while it isn't whole, and then nothing but interim responses
    /// is.
    ///
    /// # Errors
    /// What came is no HTTP/1.1 response: why.
    pub fn advance(
        &mut self,
        buffer: &mut Vec<u8>,
        ended: bool,
    ) -> Result<Option<Response>, String> {
        while self.head.is_none() {
            match parse::head(buffer)? {
                Some(head) if head.status < 200 && head.status != 101 => {
                    self.interim.push(head.status);
                    buffer.drain(..head.length);
                }
                Some(head) => {
                    let framing = parse::framing(&head, &self.method)?;
                    self.head = Some((head, framing));
                }
                None => return Ok(None),
            }
        }
        let Some((head, framing)) = &self.head else { return Ok(None) };
        let rest = &buffer[head.length..];
        let body = match *framing {
            Framing::Length(length) => rest.get(..length).map(plain),
            Framing::UntilEof => ended.then(|| plain(rest)),
            Framing::Chunked => {
                self.chunks.advance(rest)?.then(|| std::mem::take(&mut self.chunks).finish())
            }
        };
        let Some(body) = body else { return Ok(None) };
        let Some((head, _)) = self.head.take() else { return Ok(None) };
        let raw_head = buffer[..head.length].to_vec();
        buffer.drain(..head.length + body.length);
        let Chunked { body, trailers, .. } = body;
        let Head { version, status, headers, .. } = head;
        let interim = std::mem::take(&mut self.interim);
        Ok(Some(Response {
            version,
            status,
            headers,
            body,
            trailers,
            raw_head,
            interim,
            at: Instant::now(),
        }))
    }
}

fn plain(body: &[u8]) -> Chunked {
    Chunked { body: body.to_vec(), trailers: Vec::new(), length: body.len() }
}
