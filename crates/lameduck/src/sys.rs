//! What needs `unsafe`: adopting and borrowing file descriptors, and socket options that no safe crate
//! offers. The only module where it is allowed; each use says why it is sound.
#![allow(unsafe_code)]

mod guarded;
mod queue;
#[cfg(target_os = "linux")]
mod sockopt;

pub(crate) use self::guarded::{Guarded, Remote};
pub(crate) use self::queue::unacknowledged;
#[cfg(target_os = "linux")]
pub(crate) use self::sockopt::*;
