//! The record of connections and of the requests in flight on them. It decides, by the pure function
//! [`judge`], what becomes of each connection; carrying it out is for `http`. It must cost a request next to
//! nothing: a few atomic operations on the connection's own record and its own, uncontended lock.
//!
//! In a restart (feature `restart`) connections are given away and taken in, too:
//! 1. A connection is in one record at a time: it leaves this one behind the call of the outbox.
//! 2. Once `resume` or `keep` has returned, the outbox is not called any more.
//! 3. No more than a wave of connections is told to go at a time, so that busy ones are not held up.

mod directed;
mod judge;
mod limits;
mod mode;
mod path;
mod peer;
mod record;
mod request;
mod server;
pub(crate) mod state;
#[cfg(feature = "restart")]
mod sweep;

pub(crate) use self::directed::Given;
pub(crate) use self::judge::Directive;
pub(crate) use self::limits::Limits;
pub(crate) use self::mode::Mode;
use self::path::Path;
pub(crate) use self::peer::Peer;
pub(crate) use self::record::{Fate, Record};
pub(crate) use self::request::{Ending, Request};
pub(crate) use self::server::{Connections, Membership};
