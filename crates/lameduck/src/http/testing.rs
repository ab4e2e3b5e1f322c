//! What the unit tests of connections share: a server's record without a service around it.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::connections::{Connections, Membership, Peer};
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
