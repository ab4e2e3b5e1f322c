//! Ports for servers that are told where to listen.

/// A port on which nobody listens, over IPv4 or IPv6. No two calls in a process give the same one.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    lameduck_probe::free_port().expect("a free port on this machine")
}
