//! What needs `unsafe`: adopting and borrowing file descriptors, and socket options and the signal mask, which
//! no safe crate offers. The only module where it is allowed; each use says why it is sound.
#![allow(unsafe_code)]

mod guarded;
mod mask;
mod queue;
#[cfg(target_os = "linux")]
mod sockopt;

pub(crate) use self::guarded::{Guarded, Remote};
pub(crate) use self::mask::unblock;
pub(crate) use self::queue::unacknowledged;
#[cfg(target_os = "linux")]
pub(crate) use self::sockopt::*;
