//! The grammar of HTTP/1.1 responses, over bytes that are there. No I/O.

use super::response::find;

/// A response's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) version: String,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// How many bytes it takes, its empty line included.
    pub(super) length: usize,
}

/// How a body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilEof,
}

/// A chunked body, decoded.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    pub(super) body: Vec<u8>,
    pub(super) trailers: Vec<(String, String)>,
    /// How many bytes it took.
    pub(super) length: usize,
}

/// The head at the start of `bytes`; `None` while it isn't whole.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let start = b"HTTP/1.";
    let common = bytes.len().min(start.len());
    if bytes[..common] != start[..common] {
        return Err(format!(
            "it begins with {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
        ));
    }
    let Some(length) = find_bytes(bytes, b"\r\n\r\n").map(|at| at + 4) else { return Ok(None) };
    let text =
        std::str::from_utf8(&bytes[..length - 4]).map_err(|_| "the head isn't UTF-8".to_owned())?;
    let mut lines = text.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.split(' ');
    let version = words.next().unwrap_or_default().to_owned();
    let code = words.next().filter(|code| code.len() == 3).and_then(|code| code.parse().ok());
    let status = code.ok_or_else(|| format!("status line {status_line:?}"))?;
    Ok(Some(Head { version, status, headers: fields(lines)?, length }))
}

/// How the body behind this head ends (RFC 9112, section 6.3).
pub(super) fn framing(head: &Head, method: &str) -> Result<Framing, String> {
    if method == "HEAD" || head.status < 200 || matches!(head.status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    if let Some(coding) = find(&head.headers, "transfer-encoding") {
        let chunked = coding
            .rsplit(',')
            .next()
            .is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"));
        return Ok(if chunked { Framing::Chunked } else { Framing::UntilEof });
    }
    match find(&head.headers, "content-length") {
        None => Ok(Framing::UntilEof),
        Some(value) => {
            value.parse().map(Framing::Length).map_err(|_| format!("content-length {value:?}"))
        }
    }
}

/// Reads a chunked body step by step, so that a long one isn't decoded anew with each read.
#[derive(Debug, Default)]
pub(super) struct ChunkReader {
    done: Chunked,
    in_trailers: bool,
    trailer_start: usize,
}

impl ChunkReader {
    /// `bytes` is everything from the body's start on, as it grows; true once the final chunk and the trailers are in.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<bool, String> {
        while !self.in_trailers {
            let rest = &bytes[self.done.length..];
            let Some(line_end) = find_bytes(rest, b"\r\n") else { return Ok(false) };
            let line = std::str::from_utf8(&rest[..line_end])
                .map_err(|_| "a chunk's size isn't text".to_owned())?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size =
                usize::from_str_radix(digits, 16).map_err(|_| format!("chunk size {line:?}"))?;
            let data = line_end + 2;
            if size == 0 {
                self.in_trailers = true;
                self.done.length += data;
                self.trailer_start = self.done.length;
                break;
            }
            let Some(chunk) = rest.get(data..data + size + 2) else { return Ok(false) };
            if &chunk[size..] != b"\r\n" {
                return Err("a chunk doesn't end where its size says".to_owned());
            }
            self.done.body.extend_from_slice(&chunk[..size]);
            self.done.length += data + size + 2;
        }
        loop {
            let rest = &bytes[self.done.length..];
            let Some(line_end) = find_bytes(rest, b"\r\n") else { return Ok(false) };
            self.done.length += line_end + 2;
            if line_end == 0 {
                let lines =
                    String::from_utf8_lossy(&bytes[self.trailer_start..self.done.length - 2])
                        .into_owned();
                self.done.trailers = fields(lines.split("\r\n").filter(|line| !line.is_empty()))?;
                return Ok(true);
            }
        }
    }

    pub(super) fn finish(self) -> Chunked {
        self.done
    }
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<(String, String)>, String> {
    lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => Err(format!("header line {line:?}")),
        })
        .collect()
}

/// Where `needle` first stands in `bytes`.
#[must_use]
pub fn find_bytes(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
