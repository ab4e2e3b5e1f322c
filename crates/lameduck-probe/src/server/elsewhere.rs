//! On which port a process group listens, as `/proc` has it.

use std::collections::HashSet;
use std::fs;

/// A port other than the one it was asked for on which a process of that group listens; `None` if there is none, or it
/// can't be seen. It may begin to listen where it was asked to while we look.
pub(super) fn port(group: i32, asked: u16) -> Option<u16> {
    let sockets = sockets_of(group);
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|table| listening(&table, &sockets, asked))
}

/// The inodes of all sockets that the group holds.
fn sockets_of(group: i32) -> HashSet<String> {
    let Ok(processes) = fs::read_dir("/proc") else { return HashSet::new() };
    let in_group = processes.flatten().map(|entry| entry.path()).filter(|path| {
        // pid (name) state ppid pgrp …: the name may hold anything, so from its last parenthesis on.
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        fields.split(' ').nth(2).and_then(|field| field.parse().ok()) == Some(group)
    });
    in_group
        .filter_map(|path| fs::read_dir(path.join("fd")).ok())
        .flat_map(|descriptors| descriptors.flatten())
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .filter_map(|target| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect()
}

/// The first port of a table of `/proc/net/tcp` that is in the state LISTEN (0A), one of these sockets, and not `asked`.
fn listening(table: &str, sockets: &HashSet<String>, asked: u16) -> Option<u16> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let listens = *fields.get(3)? == "0A" && sockets.contains(*fields.get(9)?);
        let (_, port) = fields.get(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (listens && port != asked).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_groups_own_listener() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0\n\
             1: 0100007F:0050 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0\n\
             2: 00000000:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33 1 0\n";
        let own = |inode: &str| HashSet::from([inode.to_owned()]);
        assert_eq!(listening(table, &own("11"), 1), Some(8080));
        assert_eq!(listening(table, &own("22"), 1), None, "a connection is no listener");
        assert_eq!(listening(table, &own("33"), 1), Some(81));
        assert_eq!(listening(table, &own("44"), 1), None);
        assert_eq!(listening(table, &own("11"), 8080), None, "it listens where it was asked to");
    }
}
