//! A socket as the user asks for it: `NAME=ADDR`.

use std::str::FromStr;

/// A socket to listen on: its name, by which the server knows it, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub(crate) name: String,
    pub(crate) address: String,
}

/// Why text is no `NAME=ADDR`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// There is a name, or an address, alone.
    #[error("write NAME=ADDR, such as http={0}: the server tells its sockets apart by their names")]
    NoName(String),
    /// There is nothing behind the `=`.
    #[error(
        "an address is missing behind `{0}=`: write {0}=127.0.0.1:8080 or {0}=unix:/run/{0}.sock"
    )]
    NoAddress(String),
    /// A name that systemd's protocol cannot carry.
    #[error("{0:?} cannot be a name: use 1 to 255 visible ASCII characters other than `:` and `=`")]
    BadName(String),
}

/// systemd.socket(5), `FileDescriptorName=`.
const LONGEST_NAME: usize = 255;

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let Some((name, address)) = text.split_once('=') else {
            let looks_like_an_address = text.contains([':', '/']);
            let example = if looks_like_an_address { text } else { "127.0.0.1:8080" };
            return Err(ListenError::NoName(example.escape_debug().to_string()));
        };
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if name.is_empty() || name.len() > LONGEST_NAME || !visible {
            return Err(ListenError::BadName(name.to_owned()));
        }
        if address.is_empty() {
            return Err(ListenError::NoAddress(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), address: address.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_are_told_apart_at_the_first_equals_sign() {
        let read = |text: &str| {
            text.parse::<Listen>().map(|listen| format!("{} at {}", listen.name, listen.address))
        };
        assert_eq!(read("http=127.0.0.1:80"), Ok("http at 127.0.0.1:80".to_owned()));
        assert_eq!(read("a=unix:/run/a=b.sock"), Ok("a at unix:/run/a=b.sock".to_owned()));
    }

    #[test]
    fn what_is_no_name_with_an_address_is_answered_with_what_would_be() {
        for (text, message) in [
            ("127.0.0.1:80", "write NAME=ADDR, such as http=127.0.0.1:80: "),
            ("http", "write NAME=ADDR, such as http=127.0.0.1:8080: "),
            ("", "write NAME=ADDR, such as http=127.0.0.1:8080: "),
            ("http=", "an address is missing behind `http=`: write http=127.0.0.1:8080 or "),
            ("=127.0.0.1:80", "\"\" cannot be a name: "),
            ("a:b=127.0.0.1:80", "\"a:b\" cannot be a name: "),
            ("a b=127.0.0.1:80", "\"a b\" cannot be a name: "),
            ("ä=127.0.0.1:80", "\"ä\" cannot be a name: "),
        ] {
            let error = text.parse::<Listen>().expect_err(text).to_string();
            assert!(error.starts_with(message) && !error.contains('\n'), "{text}: {error}");
        }
        assert!(format!("{}=127.0.0.1:80", "a".repeat(256)).parse::<Listen>().is_err());
    }
}
