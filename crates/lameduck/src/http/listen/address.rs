//! Where a listener listens, as a user writes it.
//!
//! Reading an address is pure: nothing is resolved, opened or looked up here.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path of a Unix socket in bytes: `sun_path` has 108, the last one is its end
/// (unix(7)).
const LONGEST_PATH: usize = 107;

/// Where a listener listens.
///
/// Written as `127.0.0.1:8080`, `[::]:8080`, `localhost:8080` or `unix:/run/shop.sock`, and
/// displayed the same way. Port 0 lets the kernel choose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A name to resolve, and a port.
    Name {
        /// The host's name.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// An address that could not be read: says what was wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot listen on {given:?}: {wrong}; {}", right.escape_debug())]
pub(crate) struct AddressError {
    /// The text as it was given.
    given: String,
    /// What is wrong with it.
    wrong: &'static str,
    /// What would be right.
    right: String,
}

const EXAMPLES: &str =
    "write HOST:PORT such as 127.0.0.1:8080 or [::]:8080, or unix:PATH such as unix:/run/shop.sock";

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(given: &str) -> Result<Self, AddressError> {
        let no = |wrong, right: String| Err(AddressError { given: given.to_owned(), wrong, right });
        if let Some(path) = given.strip_prefix("unix:") {
            return match unix(path) {
                Ok(path) => Ok(Self::Unix(path)),
                Err((wrong, right)) => no(wrong, right),
            };
        }
        if let Ok(address) = given.parse() {
            return Ok(Self::Ip(address));
        }
        if let Some((_, rest)) = given.split_once("://") {
            let rest = rest.split('/').next().unwrap_or_default();
            return no("a URL is not an address", better(rest));
        }
        if given.starts_with(['/', '.']) {
            return no("a path needs the word unix in front", format!("write unix:{given}"));
        }
        if let Some((host, port)) = given.rsplit_once(':')
            && let (Ok(ip), Ok(port)) = (host.parse::<Ipv6Addr>(), port.parse::<u16>())
        {
            return no("an IPv6 address stands in brackets", format!("write [{ip}]:{port}"));
        }
        if let Ok(ip) = given.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
            return no("the port is missing", format!("write [{ip}]:8080"));
        }
        let Some((host, port)) = given.rsplit_once(':') else {
            return match given.parse::<u16>() {
                Ok(port) => {
                    no("the host is missing", format!("write 127.0.0.1:{port} or [::]:{port}"))
                }
                Err(_) if is_name(given) => {
                    no("the port is missing", format!("write {given}:8080"))
                }
                Err(_) => no("this is not an address", EXAMPLES.to_owned()),
            };
        };
        let Ok(port) = port.parse::<u16>() else {
            return if port.is_empty() {
                no("the port is missing", format!("write {given}8080"))
            } else {
                no("this port is not a number from 0 to 65535", format!("write {host}:8080"))
            };
        };
        if host.is_empty() || host == "*" {
            return no(
                "the host is missing",
                format!(
                    "write [::]:{port} for every address, 127.0.0.1:{port} for this machine alone"
                ),
            );
        }
        // All digits and dots can only be meant as an IPv4 address; resolvers read some of them in
        // surprising ways (127.1 is 127.0.0.1).
        if !is_name(host) || host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return no("the host is neither an IP address nor a name", EXAMPLES.to_owned());
        }
        Ok(Self::Name { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<(IpAddr, u16)> for Address {
    fn from(address: (IpAddr, u16)) -> Self {
        Self::Ip(address.into())
    }
}

/// What to write instead of a URL that names `authority`.
fn better(authority: &str) -> String {
    match authority.parse::<Address>() {
        Ok(address) => format!("write {address}"),
        Err(_) => EXAMPLES.to_owned(),
    }
}

/// Reads what follows `unix:`.
fn unix(path: &str) -> Result<PathBuf, (&'static str, String)> {
    let example = || "write unix:PATH such as unix:/run/shop.sock".to_owned();
    if path.is_empty() {
        Err(("the path is missing", example()))
    } else if path.starts_with('@') || path.contains('\0') {
        Err(("only sockets in the file system are served", example()))
    } else if path.ends_with('/') {
        Err(("this names a folder", format!("write unix:{path}shop.sock")))
    } else if path.len() > LONGEST_PATH {
        Err(("the path is too long", format!("choose one of at most {LONGEST_PATH} bytes")))
    } else {
        Ok(path.into())
    }
}

/// Whether `host` could be a host's name. What it stands for, only a resolver knows.
fn is_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Address;

    /// What was written, and how it is displayed.
    const GOOD: &[(&str, &str)] = &[
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::]:8080", "[::]:8080"),
        ("[::1]:65535", "[::1]:65535"),
        ("[fe80::1%2]:80", "[fe80::1%2]:80"),
        ("localhost:8080", "localhost:8080"),
        ("shop_1.example.com:8080", "shop_1.example.com:8080"),
        ("unix:/run/shop.sock", "unix:/run/shop.sock"),
        ("unix:shop.sock", "unix:shop.sock"),
    ];

    /// What was written, and the end of the message: what is wrong, what would be right.
    const BAD: &[(&str, &str)] = &[
        ("8080", "the host is missing; write 127.0.0.1:8080 or [::]:8080"),
        (
            ":8080",
            "the host is missing; write [::]:8080 for every address, 127.0.0.1:8080 for this machine alone",
        ),
        (
            "*:80",
            "the host is missing; write [::]:80 for every address, 127.0.0.1:80 for this machine alone",
        ),
        ("localhost", "the port is missing; write localhost:8080"),
        ("localhost:", "the port is missing; write localhost:8080"),
        ("localhost:http", "this port is not a number from 0 to 65535; write localhost:8080"),
        ("127.0.0.1:70000", "this port is not a number from 0 to 65535; write 127.0.0.1:8080"),
        ("::1:8080", "an IPv6 address stands in brackets; write [::1]:8080"),
        ("::1", "the port is missing; write [::1]:8080"),
        ("[::1]", "the port is missing; write [::1]:8080"),
        (
            "2001:db8:0:0:0:0:0:1:8080",
            "an IPv6 address stands in brackets; write [2001:db8::1]:8080",
        ),
        ("http://127.0.0.1:80/x", "a URL is not an address; write 127.0.0.1:80"),
        ("/run/shop.sock", "a path needs the word unix in front; write unix:/run/shop.sock"),
        ("unix:", "the path is missing; write unix:PATH such as unix:/run/shop.sock"),
        (
            "unix:@shop",
            "only sockets in the file system are served; write unix:PATH such as unix:/run/shop.sock",
        ),
        ("unix:/run/", "this names a folder; write unix:/run/shop.sock"),
    ];

    #[test]
    fn an_address_is_displayed_as_it_was_written() {
        for (given, shown) in GOOD {
            let address: Address = given.parse().expect(given);
            assert_eq!(address.to_string(), *shown);
        }
    }

    #[test]
    fn a_wrong_address_is_answered_with_a_right_one() {
        for (given, end) in BAD {
            let error = given.parse::<Address>().expect_err(given);
            assert_eq!(error.to_string(), format!("cannot listen on \"{given}\": {end}"));
        }
        for given in ["", "a b:80", "300.1.1.1:80", "127.1:80", "a/b:80", "[::1:80"] {
            let error = given.parse::<Address>().expect_err(given).to_string();
            assert!(error.contains("; write "), "{error}");
        }
    }

    #[test]
    fn a_path_that_the_kernel_would_cut_off_is_refused() {
        let path = |len: usize| format!("unix:/{}", "a".repeat(len - 1)).parse::<Address>();
        path(107).expect("fits");
        let error = path(108).expect_err("too long").to_string();
        assert!(
            error.ends_with("the path is too long; choose one of at most 107 bytes"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error_of_one_line(text in "(unix:|http://|\\[)?(\\PC|\n){0,20}(:[0-9]{0,6})?") {
            match text.parse::<Address>() {
                Ok(address) => prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address)),
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }
}
