//! What a child tells us: systemd's notification protocol (sd_notify(3)), of which `READY=1` is what counts.
//!
//! Each child has a socket of its own, in Linux's abstract namespace: it needs no folder that can be written, a server
//! that has given up its privileges can reach it, and nothing is left behind. Anybody could write to it, so the kernel
//! names each sender, and only those that may speak for the child are heard.

mod message;
mod socket;

pub(crate) use self::socket::Heard;
pub(crate) use self::socket::{NotifySocket, say_not_executed, send};

/// The variable that tells where to.
pub(crate) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
