//! What a predecessor tells its successor in the environment: `LAMEDUCK_PREDECESSOR`.
//!
//! ```text
//! pid=4711 link=9 public=7,0,127.0.0.1:8080 admin=8,0,unix:/run/admin.sock
//! ```
//! The process id of the predecessor, the descriptor of the link, then each listening socket: its name, its descriptor,
//! 1 if it came from `LISTEN_FDS` once, and the address as it was declared. Names and addresses are percent-encoded.
//!
//! Inheritance is the proof: the link must be a socket that the stated process made, and that came through exec. A
//! process that has only the variable, since it was started by a service that has successors, has no such socket.

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use rustix::net::sockopt::{socket_domain, socket_peercred, socket_type};
use rustix::net::{AddressFamily, SocketType};

use super::link::Link;
use crate::inherit::Socket;
use crate::{Error, sys};

/// The variable.
pub(crate) const VARIABLE: &str = "LAMEDUCK_PREDECESSOR";

/// What a predecessor handed to this process.
#[derive(Debug)]
pub(crate) struct Handed {
    /// The predecessor's process id.
    pub(crate) predecessor: u32,
    pub(super) link: Link,
    /// Its listening sockets, with the number that each came as.
    pub(crate) sockets: Vec<(Socket, RawFd)>,
}

impl Handed {
    /// Takes over what the environment says, once in a process. `None` where there is no predecessor.
    ///
    /// # Errors
    /// The variable is no such list, or a socket that it names is not there.
    pub(crate) fn take() -> Result<Option<Handed>, Error> {
        let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let wrong = || {
            Error::msg(format!(
                "{VARIABLE} is {value:?}, which no predecessor writes; it is set by lameduck alone, unset it"
            ))
        };
        let said = value.to_str().and_then(parse).ok_or_else(wrong)?;
        if !is_link(said.link, said.pid) {
            return Ok(None);
        }
        let Ok(Some(link)) = sys::adopt_passed(said.link) else { return Ok(None) };
        let mut sockets = Vec::with_capacity(said.sockets.len());
        for Said { name, number, foreign, declared } in said.sockets {
            let missing = |why: &str| {
                Error::msg(format!(
                    "the predecessor (process {}) said that the socket `{}` is descriptor {number}, which {why}",
                    said.pid,
                    name.escape_debug()
                ))
            };
            let descriptor = match sys::adopt_passed(number) {
                Ok(Some(descriptor)) => descriptor,
                Ok(None) => return Err(missing("is in use")),
                Err(error) => return Err(missing(&format!("cannot be taken over: {error}"))),
            };
            sockets.push((Socket { name, descriptor, foreign, declared: Some(declared) }, number));
        }
        Ok(Some(Handed { predecessor: said.pid, link: Link::new(link), sockets }))
    }
}

/// Whether the descriptor is a socket of the kind of the link, made by that process.
fn is_link(number: RawFd, pid: u32) -> bool {
    sys::with_passed(number, |socket: BorrowedFd<'_>| {
        socket_type(socket) == Ok(SocketType::SEQPACKET)
            && socket_domain(socket) == Ok(AddressFamily::UNIX)
            && socket_peercred(socket.as_fd())
                .is_ok_and(|by| u32::try_from(by.pid.as_raw_nonzero().get()) == Ok(pid))
    })
    .unwrap_or(false)
}

/// One socket of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) name: String,
    pub(super) number: RawFd,
    pub(super) foreign: bool,
    pub(super) declared: String,
}

#[derive(Debug, PartialEq, Eq)]
struct List {
    pid: u32,
    link: RawFd,
    sockets: Vec<Said>,
}

/// The variable's value.
pub(super) fn write(pid: u32, link: RawFd, sockets: &[Said]) -> String {
    let mut text = format!("pid={pid} link={link}");
    for Said { name, number, foreign, declared } in sockets {
        let (name, declared) = (encode(name), encode(declared));
        text += &format!(" {name}={number},{},{declared}", u8::from(*foreign));
    }
    text
}

fn parse(text: &str) -> Option<List> {
    let mut words = text.split(' ');
    let pid = words.next()?.strip_prefix("pid=")?.parse().ok()?;
    let link = words.next()?.strip_prefix("link=")?.parse().ok()?;
    let sockets = words
        .map(|word| {
            let (name, rest) = word.split_once('=')?;
            let mut fields = rest.splitn(3, ',');
            let number = fields.next()?.parse().ok()?;
            let foreign = match fields.next()? {
                "0" => false,
                "1" => true,
                _ => return None,
            };
            let declared = decode(fields.next()?)?;
            Some(Said { name: decode(name)?, number, foreign, declared })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(List { pid, link, sockets })
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9'
            | b'A'..=b'Z'
            | b'a'..=b'z'
            | b'-'
            | b'_'
            | b'.'
            | b':'
            | b'/'
            | b'['
            | b']' => {
                out.push(char::from(byte));
            }
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            out.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_said() -> impl Strategy<Value = Said> {
        ("\\PC{0,20}", 3..RawFd::MAX, any::<bool>(), "\\PC{0,20}")
            .prop_map(|(name, number, foreign, declared)| Said { name, number, foreign, declared })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            pid in any::<u32>(),
            link in 3..RawFd::MAX,
            sockets in prop::collection::vec(any_said(), 0..5),
        ) {
            let text = write(pid, link, &sockets);
            prop_assert_eq!(parse(&text), Some(List { pid, link, sockets }));
        }

        #[test]
        fn arbitrary_text_is_read_or_refused(text in "(pid=[0-9]{1,4} link=[0-9]{1,4})?[ -~=,%]{0,60}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn it_looks_like_this() {
        let said = |name: &str, number, declared: &str| Said {
            name: name.to_owned(),
            number,
            foreign: false,
            declared: declared.to_owned(),
        };
        let sockets = [said("public", 7, "[::1]:8080"), said("a b=c", 8, "unix:/run/a.sock")];
        assert_eq!(
            write(4711, 9, &sockets),
            "pid=4711 link=9 public=7,0,[::1]:8080 a%20b%3Dc=8,0,unix:/run/a.sock"
        );
    }

    #[test]
    fn what_no_predecessor_writes_is_refused() {
        for text in [
            "",
            "yes",
            "pid=1",
            "pid=1 link=",
            "pid=-1 link=3",
            "pid=1 link=3 ",
            "pid=1 link=3 public",
            "pid=1 link=3 public=7",
            "pid=1 link=3 public=7,2,x",
            "pid=1 link=3 public=7,0,%zz",
            "pid=1 link=3 public=7,0,%ff",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_a_socket_of_that_process_is_the_link() {
        let (ours, theirs) = Link::pair().expect("descriptors");
        let number = std::os::fd::AsRawFd::as_raw_fd(&theirs);
        assert!(!is_link(number, std::process::id()), "it has not come through exec");
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).expect("open");
        assert!(is_link(number, std::process::id()));
        assert!(!is_link(number, 1));
        assert!(!is_link(0, std::process::id()));
        assert!(!is_link(-1, std::process::id()));
        assert!(!is_link(1 << 20, std::process::id()));
        drop(ours);
    }
}
