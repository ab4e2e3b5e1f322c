//! What the unit tests of connections share: a server's record without a service around it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use super::opening::without_empty_lines;
use crate::connections::{Connections, Membership, Peer, Record};
use crate::lifecycle::{Events, Shared};

/// A runtime on this thread whose clock stands still while there is something to do.
pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// The connections of a server to which nobody gives orders.
pub(super) fn connections(runtime: &Runtime) -> Arc<Connections> {
    let (events, _) = Events::channel().expect("two descriptors");
    let shared = Shared::new("test".to_owned(), events, runtime.handle().clone());
    Arc::new(Connections::new(Arc::new(shared)))
}

/// A connection without a descriptor.
pub(super) fn add(connections: &Arc<Connections>) -> Membership {
    connections.add(Peer::Other, true)
}

/// What a peer sends, as a plain socket's connection gets it: what was read before it was made, and what is still to come.
pub(super) fn opened<'a>(record: &Record, sent: &'a [u8], at: usize) -> (Bytes, &'a [u8]) {
    let (first, rest) = sent.split_at(at);
    let first = without_empty_lines(first);
    if !first.is_empty() {
        record.spoke();
    }
    (Bytes::copy_from_slice(first), rest)
}
