//! What the service manager can be told.

use std::fmt;
use std::time::Duration;

/// One line of a notification; several make one datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The start, or the reload, is over.
    Ready,
    /// A reload or a restart has begun, at this time of the monotonic clock.
    Reloading(Duration),
    /// A stop has begun.
    Stopping,
    /// What `systemctl status` shows.
    Status(&'static str),
    #[cfg_attr(
        not(any(test, feature = "restart")),
        expect(dead_code, reason = "only a restart says it")
    )]
    /// Which process is the service from now on.
    MainPid(u32),
    /// The runtime answers.
    Watchdog,
    /// From now on at least this time is needed for what is under way.
    Extend(Duration),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Ready => f.write_str("READY=1"),
            Message::Reloading(at) => write!(f, "RELOADING=1\nMONOTONIC_USEC={}", at.as_micros()),
            Message::Stopping => f.write_str("STOPPING=1"),
            Message::Status(text) => write!(f, "STATUS={text}"),
            Message::MainPid(pid) => write!(f, "MAINPID={pid}"),
            Message::Watchdog => f.write_str("WATCHDOG=1"),
            Message::Extend(time) => write!(f, "EXTEND_TIMEOUT_USEC={}", time.as_micros()),
        }
    }
}
