//! Ports for servers that are told where to listen.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, Socket, Type};

/// Below the ports that the kernel gives to outgoing connections (32768 and up by default), so that no client of a
/// test running side by side takes the port between our look and the server's bind.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port on which nobody listens, over IPv4 or IPv6. No two calls in a process give the same one. `None` if there is none.
#[must_use]
pub fn free_port() -> Option<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes side by side have neighbouring ids: spread them out.
    let start = std::process::id().wrapping_mul(7_919) % COUNT;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + (start + step) % COUNT) as u16;
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        if free(v4) && free(v6) {
            return Some(port);
        }
    }
    None
}

/// Without SO_REUSEADDR, so that a port with connections in TIME_WAIT counts as taken. No IPv6 at all counts as free.
fn free(addr: SocketAddr) -> bool {
    let Ok(socket) = Socket::new(Domain::for_address(addr), Type::STREAM, None) else {
        return addr.is_ipv6();
    };
    if addr.is_ipv6() && socket.set_only_v6(true).is_err() {
        return false;
    }
    match socket.bind(&addr.into()) {
        Ok(()) => true,
        Err(error) => addr.is_ipv6() && error.kind() == std::io::ErrorKind::AddrNotAvailable,
    }
}
