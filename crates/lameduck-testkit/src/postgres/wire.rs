//! As much of PostgreSQL's protocol (version 3) as one query takes: the start without a password, a simple query, its
//! rows or its error.

use std::io::{Read, Result, Write};
use std::net::SocketAddr;

use crate::dial::{dial, refused, take};

type Row = Vec<Option<String>>;

pub(super) fn query(addr: SocketAddr, sql: &str) -> Result<Vec<Row>> {
    let mut stream = dial(addr)?;
    let start = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    stream.get_mut().write_all(&message(None, start))?;
    rows(&mut stream)?;
    stream.get_mut().write_all(&message(Some(b'Q'), &[sql.as_bytes(), b"\0"].concat()))?;
    let rows = rows(&mut stream);
    // Told that we leave, it does not log that we left without a word.
    let _ = stream.get_mut().write_all(&message(Some(b'X'), b""));
    rows
}

/// A message's length counts itself, but not its kind. The first one has no kind.
fn message(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    let mut message = Vec::from_iter(kind);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// Reads until the server is ready for the next query.
fn rows(stream: &mut impl Read) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut failed = None;
    loop {
        let head = take(stream, 5)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let body = take(stream, (length as usize).saturating_sub(4))?;
        match head[0] {
            b'R' if body != [0; 4] => return Err(refused("it asks for a password")),
            b'D' => rows.push(row(&body).ok_or_else(|| refused("half a row"))?),
            b'E' => {
                let error = refused(error(&body));
                // Nothing follows an error that ends the connection.
                if body.starts_with(b"SFATAL\0") {
                    return Err(error);
                }
                failed = Some(error);
            }
            b'Z' => return failed.map_or(Ok(rows), Err),
            _ => {}
        }
    }
}

fn row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk()?;
    let mut row = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk()?;
        // -1 for null.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            row.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after.split_at_checked(length)?;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Some(row)
}

/// The message among an error's fields, each a letter and a text that ends with a zero.
fn error(body: &[u8]) -> String {
    let fields = body.split(|&byte| byte == 0);
    let text = fields.filter_map(|field| field.strip_prefix(b"M")).next().unwrap_or(body);
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::rows;

    fn read(bytes: &[u8]) -> Result<Vec<Vec<Option<String>>>, String> {
        rows(&mut &bytes[..]).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_are_read_until_the_server_is_ready() {
        let bytes = b"R\0\0\0\x08\0\0\0\0D\0\0\0\x10\0\x02\0\0\0\x02hi\xff\xff\xff\xffZ\0\0\0\x05I";
        assert_eq!(read(bytes), Ok(vec![vec![Some("hi".to_owned()), None]]));
    }

    #[test]
    fn an_error_is_told_by_its_message() {
        let bytes = b"E\0\0\0\x11SERROR\0Mno.\0\0Z\0\0\0\x05I";
        assert_eq!(read(bytes), Err("no.".to_owned()));
    }

    #[test]
    fn half_an_answer_is_an_error() {
        for bytes in [&b"Z\0\0"[..], b"D\0\0\0\x08\0\x01\0\0", b"R\0\0\0\x08\0\0\0\x05"] {
            read(bytes).unwrap_err();
        }
    }
}
