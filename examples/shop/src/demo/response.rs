//! Where an HTTP/1.1 response ends.

/// What the bytes received so far make of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// More is to come.
    Partial,
    /// Only the end of the stream ends it.
    UntilClose {
        /// The status in its first line.
        status: u16,
    },
    /// It is complete.
    Whole {
        /// The status in its first line.
        status: u16,
        /// The server said that it closes the connection.
        close: bool,
    },
}

impl Response {
    /// Reads the start of the connection's bytes. The shop's clients ask one thing at a time, so nothing follows it.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let Some(end_of_head) = find(bytes, b"\r\n\r\n") else { return Self::Partial };
        let head = String::from_utf8_lossy(&bytes[..end_of_head]);
        let body = &bytes[end_of_head + 4..];
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);

        let (mut length, mut chunked, mut close) = (None, false, first.starts_with("HTTP/1.0"));
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse::<usize>().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                close |= value.eq_ignore_ascii_case("close");
            }
        }

        let whole = if chunked {
            body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n"
        } else {
            let Some(length) = length else { return Self::UntilClose { status } };
            body.len() >= length
        };
        if whole { Self::Whole { status, close } } else { Self::Partial }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_ends_the_body() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(Response::read(whole), Response::Whole { status: 201, close: false });
        for cut in 0..whole.len() {
            assert_eq!(Response::read(&whole[..cut]), Response::Partial, "after {cut} bytes");
        }
    }

    #[test]
    fn the_last_chunk_ends_the_body() {
        let whole = b"HTTP/1.1 503 x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        assert_eq!(Response::read(whole), Response::Whole { status: 503, close: true });
        assert_eq!(Response::read(&whole[..whole.len() - 1]), Response::Partial);
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_stream() {
        assert_eq!(
            Response::read(b"HTTP/1.1 200 OK\r\n\r\nok"),
            Response::UntilClose { status: 200 }
        );
    }
}
