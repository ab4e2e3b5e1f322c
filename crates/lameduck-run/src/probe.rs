//! Asking a child by HTTP whether it is ready.
//!
//! Two children may listen on one socket, and then either may be the one that answers. So where there are two, half of
//! the request is sent first; only when it is seen that the new child has the connection is the rest sent, and the
//! answer counts.

mod asking;
mod seat;
mod url;

pub(crate) use self::asking::Probe;
pub use self::url::{Url, UrlError};
