//! How many handshakes are under way on a port, asked of the kernel by socket diagnostics
//! (sock_diag(7)), which needs no privilege.
//!
//! An answer of none is exact: the kernel puts a connection into the accept queue before it takes
//! its SYN_RECV away, and looks at each hash bucket, where the two follow each other, under the
//! bucket's lock. What was pending is either in the answer or in the queue.
//!
//! A question takes from half a millisecond to 23 (the kernel walks its whole table of connections,
//! but answers only with those in SYN_RECV on the port), so never on a thread of the runtime. What
//! the kernel sends is read without trust: no bytes can cause a panic.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// The longest that one question may take; the kernel answers within milliseconds, or never.
const PATIENCE: Duration = Duration::from_millis(500);

/// The kernel sends at most 32 KiB of a dump at a time (`netlink_dump` in
/// net/netlink/af_netlink.c).
const BUFFER: usize = 32 * 1024;

/// A netlink socket to ask on.
#[derive(Debug)]
pub(super) struct Diagnostics {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diagnostics {
    /// Opens the socket.
    ///
    /// # Errors
    /// What `socket` answers: EAFNOSUPPORT or EPERM where a sandbox forbids netlink (as systemd's
    /// `RestrictAddressFamilies=` does), EMFILE where descriptors have run out.
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        Ok(Self { socket, buffer: vec![0; BUFFER], sequence: 0 })
    }

    /// How many handshakes with the listener at `local` are under way.
    ///
    /// # Errors
    /// What the kernel answers, or `InvalidData` where its answer cannot be read.
    pub(super) fn pending(&mut self, local: SocketAddr) -> io::Result<usize> {
        // A handshake has its listener's family, also that of an IPv4 peer with an IPv6 wildcard
        // (`inet_reqsk_alloc`, since Linux 4.4): one question is enough.
        let family = if local.is_ipv6() { INET6 } else { INET };
        self.sequence = self.sequence.wrapping_add(1);
        let question = question(family, local.port(), self.sequence);
        // A signal's handler may run on this thread, and interrupts even where others restart, since
        // the socket has a timeout (signal(7)).
        retry_on_intr(|| send(&self.socket, &question, SendFlags::empty()))?;
        let (mut pending, end) = (0, Instant::now() + PATIENCE);
        loop {
            let (_, length) =
                retry_on_intr(|| recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::TRUNC))?;
            let Some(answer) = self.buffer.get(..length) else {
                return Err(Unreadable("longer than the kernel may send").into());
            };
            let part = read(answer, self.sequence)?;
            pending += part.handshakes.iter().filter(|at| is_at(**at, local)).count();
            match part.end {
                // Each part has its time, so that all of them together need one too.
                None if Instant::now() >= end => return Err(io::ErrorKind::TimedOut.into()),
                None => {}
                Some(0) => return Ok(pending),
                Some(error) => return Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

/// Whether a handshake on `at` is with the listener at `local`, whose port it has.
fn is_at(at: IpAddr, local: SocketAddr) -> bool {
    local.ip().is_unspecified() || at.to_canonical() == local.ip().to_canonical()
}

/// The part of a dump that came in one datagram.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    /// The local address of each handshake.
    handshakes: Vec<IpAddr>,
    /// Whether the dump ended, and with which errno; 0 for none.
    end: Option<i32>,
}

/// An answer that cannot be read, and why.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable(&'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an answer of socket diagnostics could not be read: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

impl From<Unreadable> for io::Error {
    fn from(error: Unreadable) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// `SOCK_DIAG_BY_FAMILY`: the type of question and answer (linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
/// `NLMSG_NOOP`, `NLMSG_ERROR` and `NLMSG_DONE` (netlink(7)).
const NOOP: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
/// `TCP_SYN_RECV` and `TCP_NEW_SYN_RECV` (net/tcp_states.h): the state of a handshake as the kernel
/// reports it, and the one in which it keeps it. Either in a question stands for both since Linux
/// 4.4; both are asked for, to be sure.
const SYN_RECV: u8 = 3;
const NEW_SYN_RECV: u8 = 12;
/// `AF_INET` and `AF_INET6`, `IPPROTO_TCP`, in the one byte that a question has for them.
const INET: u8 = libc::AF_INET as u8;
const INET6: u8 = libc::AF_INET6 as u8;
const TCP: u8 = libc::IPPROTO_TCP as u8;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_req_v2`.
const QUESTION: usize = 56;
/// `struct inet_diag_msg` up to the end of `idiag_src`.
const ANSWER: usize = 24;

/// Asks for every TCP handshake of `family` on the local `port`.
fn question(family: u8, port: u16, sequence: u32) -> [u8; HEADER + QUESTION] {
    let states = 1_u32 << SYN_RECV | 1 << NEW_SYN_RECV;
    let length = (HEADER + QUESTION) as u32;
    let mut bytes = [0; HEADER + QUESTION];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &length.to_ne_bytes());
    put(4, &BY_FAMILY.to_ne_bytes());
    put(6, &REQUEST_DUMP.to_ne_bytes());
    put(8, &sequence.to_ne_bytes());
    put(HEADER, &[family, TCP]);
    put(HEADER + 4, &states.to_ne_bytes());
    // The socket's identity begins with its local port, in network order; what is 0 is not compared.
    put(HEADER + 8, &port.to_be_bytes());
    bytes
}

/// Reads one datagram of the answer to the question with that `sequence` number.
fn read(datagram: &[u8], sequence: u32) -> Result<Part, Unreadable> {
    let mut part = Part::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let [l0, l1, l2, l3, t0, t1, _, _, s0, s1, s2, s3, ..] = *rest else {
            return Err(Unreadable("a header is cut off"));
        };
        let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let Some(body) = rest.get(HEADER..length) else {
            return Err(Unreadable("a message is cut off"));
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        if u32::from_ne_bytes([s0, s1, s2, s3]) != sequence {
            continue;
        }
        match u16::from_ne_bytes([t0, t1]) {
            BY_FAMILY => part.handshakes.extend(handshake(body)?),
            // Both carry an errno, negated; a dump's end may come without.
            kind @ (ERROR | DONE) => {
                let errno = match *body {
                    [e0, e1, e2, e3, ..] => i32::from_ne_bytes([e0, e1, e2, e3]),
                    [] if kind == DONE => 0,
                    _ => return Err(Unreadable("an error without a number")),
                };
                if kind == ERROR && errno == 0 {
                    // It says that the question was understood, not that nothing is pending.
                    return Err(Unreadable("an acknowledgement that was not asked for"));
                }
                part.end = Some(errno.saturating_neg());
                return Ok(part);
            }
            NOOP => {}
            _ => return Err(Unreadable("a message of an unknown type")),
        }
    }
    Ok(part)
}

/// The local address of one `struct inet_diag_msg`, if it is in SYN_RECV.
fn handshake(body: &[u8]) -> Result<Option<IpAddr>, Unreadable> {
    let Some(body) = body.first_chunk::<ANSWER>() else {
        return Err(Unreadable("a socket is cut off"));
    };
    // Family, state, timer, retransmissions; the ports; the local address.
    let [family, state, _, _, _, _, _, _, address @ ..] = body;
    if ![SYN_RECV, NEW_SYN_RECV].contains(state) {
        return Ok(None);
    }
    match *family {
        INET => {
            let [a, b, c, d, ..] = *address;
            Ok(Some(Ipv4Addr::new(a, b, c, d).into()))
        }
        INET6 => Ok(Some(Ipv6Addr::from_octets(*address).into())),
        _ => Err(Unreadable("a socket of an unknown family")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(((HEADER + body.len()) as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn socket(state: u8, local: IpAddr) -> Vec<u8> {
        let mut body = vec![if local.is_ipv4() { 2 } else { 10 }, state, 0, 0, 0x1F, 0x90, 0xC0, 0];
        match local {
            IpAddr::V4(ip) => body.extend(ip.octets()),
            IpAddr::V6(ip) => body.extend(ip.octets()),
        }
        body.resize(72, 0);
        message(BY_FAMILY, 7, &body)
    }

    #[test]
    fn a_dump_is_read_to_its_end() {
        let [v4, v6]: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let mut datagram = socket(SYN_RECV, v4);
        datagram.extend(socket(1, v4));
        datagram.extend(socket(NEW_SYN_RECV, v6));
        let open = Part { handshakes: vec![v4, v6], end: None };
        assert_eq!(read(&datagram, 7), Ok(open));
        datagram.extend(message(DONE, 7, &0_i32.to_ne_bytes()));
        let done = Part { handshakes: vec![v4, v6], end: Some(0) };
        assert_eq!(read(&datagram, 7), Ok(done));
        assert_eq!(read(&datagram, 8), Ok(Part::default()), "an answer to another question");
    }

    #[test]
    fn an_error_ends_a_dump_with_its_number() {
        let refused = message(ERROR, 7, &(-13_i32).to_ne_bytes());
        assert_eq!(read(&refused, 7), Ok(Part { handshakes: vec![], end: Some(13) }));
        assert_eq!(read(&message(DONE, 7, &[]), 7), Ok(Part { handshakes: vec![], end: Some(0) }));
        for short in [&[][..], &[1, 2]] {
            assert!(read(&message(ERROR, 7, short), 7).is_err());
        }
    }

    /// 1. The kernel answers with something that is no list of sockets and no end of one.
    /// 2. It was read as the end of a list without any, and the listener closed on handshakes under way.
    #[test]
    fn what_is_no_end_of_a_dump_is_not_taken_for_one() {
        let acknowledged = message(ERROR, 7, &0_i32.to_ne_bytes());
        assert!(read(&acknowledged, 7).is_err(), "NLMSG_ERROR with the number 0");
        assert!(read(&message(DONE, 7, &[0, 0]), 7).is_err(), "half a number");
        assert!(read(&message(4, 7, &[]), 7).is_err(), "NLMSG_OVERRUN: data was lost");
        assert_eq!(read(&message(NOOP, 7, &[]), 7), Ok(Part::default()));
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error() {
        let whole = socket(SYN_RECV, Ipv4Addr::LOCALHOST.into());
        for length in 1..whole.len() {
            assert!(read(&whole[..length], 7).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn handshakes_of_another_address_do_not_count() {
        let at = |ip: &str| ip.parse::<IpAddr>().expect("an address");
        let local = |address: &str| address.parse::<SocketAddr>().expect("an address");
        assert!(is_at(at("10.0.0.1"), local("10.0.0.1:80")));
        assert!(!is_at(at("10.0.0.2"), local("10.0.0.1:80")));
        assert!(is_at(at("10.0.0.2"), local("0.0.0.0:80")));
        assert!(is_at(at("::ffff:10.0.0.2"), local("[::]:80")));
        assert!(is_at(at("::ffff:10.0.0.2"), local("[::ffff:10.0.0.2]:80")));
    }

    #[test]
    fn the_kernel_answers_an_idle_port_with_none() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let mut diagnostics = Diagnostics::open().expect("netlink");
        for local in [listener.local_addr().expect("bound"), "[::1]:9".parse().expect("valid")] {
            assert_eq!(diagnostics.pending(local).expect("an answer"), 0);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, sequence: u32) {
            let _part = read(&bytes, sequence);
        }

        #[test]
        fn any_body_is_read_without_a_panic(
            messages in prop::collection::vec((0_u16..32, prop::collection::vec(0_u8..16, 0..80)), 0..8),
            cut: prop::sample::Index,
        ) {
            let bytes: Vec<u8> =
                messages.iter().flat_map(|(kind, body)| message(*kind, 7, body)).collect();
            let _part = read(&bytes, 7);
            let _part = read(&bytes[..cut.index(bytes.len() + 1)], 7);
        }

        #[test]
        fn any_length_field_is_read_without_a_panic(length: u32, rest: Vec<u8>) {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(rest);
            let _part = read(&bytes, 0);
        }

        #[test]
        fn what_is_cut_off_never_ends_a_dump(
            states in prop::collection::vec((0_u8..14, any::<bool>()), 0..6),
            cut: prop::sample::Index,
        ) {
            let local = |v6| if v6 { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
            let mut bytes: Vec<u8> =
                states.iter().flat_map(|(state, v6)| socket(*state, local(*v6))).collect();
            let sockets = bytes.len();
            bytes.extend(message(DONE, 7, &0_i32.to_ne_bytes()));
            let all = states.iter().filter(|(state, _)| [SYN_RECV, NEW_SYN_RECV].contains(state));
            let whole = read(&bytes, 7).expect("nothing is wrong with it");
            prop_assert_eq!((whole.handshakes.len(), whole.end), (all.count(), Some(0)));
            let cut = cut.index(bytes.len());
            if let Ok(part) = read(&bytes[..cut], 7) {
                prop_assert_eq!(part.end, None);
                prop_assert!(cut <= sockets, "half of the end was passed over");
            }
        }

        #[test]
        fn only_a_dump_s_own_end_says_that_nothing_is_pending(
            kind: u16,
            body in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..12),
        ) {
            if read(&message(kind, 7, &body), 7).is_ok_and(|part| part.end == Some(0)) {
                prop_assert_eq!(kind, DONE);
                prop_assert!(body.is_empty() || body.starts_with(&[0; 4]));
            }
        }
    }
}
