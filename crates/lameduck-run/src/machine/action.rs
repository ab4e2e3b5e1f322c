//! What is to be done.

use super::{ChildId, Fact, StopSignal};

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a child, with the sockets.
    Start(ChildId),
    /// Close our own copies of the sockets: from here on the children hold them alone.
    CloseSockets,
    /// Pass a signal on to a child.
    Signal(ChildId, StopSignal),
    /// Kill a child, with all of its process group.
    Kill(ChildId),
    /// Tell what happened.
    Say(Fact),
    /// End, with this code.
    Exit(u8),
}
