//! One end of a [`Link`](crate::Link).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::netns::within;

/// A network namespace with an address of each family on the link, and loopback.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its name, as `ip netns` has it.
    pub netns: String,
    /// Its IPv4 address on the link.
    pub v4: Ipv4Addr,
    /// Its IPv6 address on the link.
    pub v6: Ipv6Addr,
}

impl Side {
    /// Runs `work` on a thread inside: its sockets, and the threads, loads and servers it starts, stay there.
    ///
    /// # Panics
    /// If `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.netns, work)
    }

    /// Both addresses.
    #[must_use]
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}
