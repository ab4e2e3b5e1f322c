//! A whole response.

use std::borrow::Cow;
use std::time::Instant;

use crate::outcome::Outcome;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Response {
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// Names in lower case, values trimmed, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// The head as it came, its empty line included.
    pub raw_head: Vec<u8>,
    /// The status codes of the interim (1xx) responses that came before.
    pub interim: Vec<u16>,
    /// When its last byte had been read.
    pub at: Instant,
}

impl Response {
    /// The first header of that name (given in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// True if the server said that no further request will be answered on this connection.
    #[must_use]
    pub fn says_close(&self) -> bool {
        let says = |word: &str| {
            let all = self.headers.iter().filter(|(name, _)| name == "connection");
            all.flat_map(|(_, value)| value.split(','))
                .any(|value| value.trim().eq_ignore_ascii_case(word))
        };
        says("close") || (self.version == "HTTP/1.0" && !says("keep-alive"))
    }

    /// Answered or turned away.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if matches!(self.status, 429 | 503) { Outcome::TurnedAway } else { Outcome::Answered }
    }
}

pub(super) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
