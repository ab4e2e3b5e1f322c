//! What needs `unsafe`: adopting and borrowing file descriptors, and socket options that no safe crate
//! offers. The only module where it is allowed; each use says why it is sound.
#![allow(unsafe_code)]

mod guarded;
#[cfg(target_os = "linux")]
mod sockopt;

pub(crate) use self::guarded::{Guarded, Remote};
#[cfg(target_os = "linux")]
pub(crate) use self::sockopt::*;
