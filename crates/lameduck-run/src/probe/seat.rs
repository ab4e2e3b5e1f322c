//! Who has accepted a connection of ours, on this machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::processes::Processes;

/// Who has the other end of a connection of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Nobody has accepted it yet.
    Queued,
    /// The child that we ask, or a part of it.
    Child,
    /// Another process.
    Other,
    /// Its other end is not in this network namespace: nobody can tell.
    Elsewhere,
}

/// Looks once. `ours` and `theirs` are the ends of the connection as we have them.
pub(super) fn seat(ours: SocketAddr, theirs: SocketAddr, child: i32) -> Seat {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut tables = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    match tables.find_map(|table| inode(&table, theirs, ours)) {
        None => Seat::Elsewhere,
        // It belongs to no file yet.
        Some(0) => Seat::Queued,
        Some(inode) => {
            let wanted = format!("socket:[{inode}]");
            let holds = |pid: i32| {
                let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
                descriptors.is_ok_and(|descriptors| {
                    descriptors
                        .flatten()
                        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
                        .any(|target| target.as_os_str() == wanted.as_str())
                })
            };
            let mut below = Processes::now().below(child).into_iter();
            if below.any(holds) { Seat::Child } else { Seat::Other }
        }
    }
}

/// The inode of the connection with these ends, in a table of `/proc/net/tcp`.
fn inode(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let ends = (address(fields.next()?)?, address(fields.next()?)?);
        let same = ends == (plain(local), plain(remote));
        if same { fields.nth(6)?.parse().ok() } else { None }
    })
}

/// An address as the table writes it: words of the machine's own byte order, in hexadecimal.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.rsplit_once(':')?;
    let word =
        |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for at in 0..4 {
                octets[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

fn plain(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_queued_until_it_is_accepted_and_then_belongs_to_who_has_it() {
        for at in ["127.0.0.1:0", "[::]:0"] {
            let listener = TcpListener::bind(at).unwrap();
            let port = listener.local_addr().unwrap().port();
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (ours, theirs) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            let me = std::process::id().cast_signed();
            assert_eq!(seat(ours, theirs, me), Seat::Queued, "{at}");
            let accepted = listener.accept().unwrap();
            assert_eq!(seat(ours, theirs, me), Seat::Child, "{at}");
            assert_eq!(seat(ours, theirs, i32::MAX), Seat::Other, "{at}");
            drop(accepted);
        }
    }

    #[test]
    fn a_connection_that_is_not_in_the_tables_is_elsewhere() {
        let address = SocketAddr::from(([192, 0, 2, 1], 1));
        assert_eq!(seat(address, address, 1), Seat::Elsewhere);
    }
}
