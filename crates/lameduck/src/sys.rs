//! What needs `unsafe`: adopting and borrowing file descriptors, and socket options and the signal mask, which
//! no safe crate offers. The only module where it is allowed; each use says why it is sound.
#![allow(unsafe_code)]

#[cfg(feature = "http1")]
mod adopt;
#[cfg(all(feature = "restart", target_os = "linux"))]
mod consumed;
#[cfg(feature = "http1")]
mod guarded;
mod mask;
#[cfg(feature = "http1")]
mod queue;
#[cfg(all(feature = "http1", target_os = "linux"))]
mod sockopt;

#[cfg(feature = "http1")]
pub(crate) use self::adopt::adopt_passed;
#[cfg(feature = "restart")]
pub(crate) use self::adopt::with_passed;
#[cfg(all(feature = "restart", target_os = "linux"))]
pub(crate) use self::consumed::{Used, used};
#[cfg(feature = "http1")]
pub(crate) use self::guarded::{Far, Guarded, Owning, Remote, gather};
pub(crate) use self::mask::unblock;
#[cfg(feature = "http1")]
pub(crate) use self::queue::unacknowledged;
#[cfg(all(feature = "http1", target_os = "linux"))]
pub(crate) use self::sockopt::*;
