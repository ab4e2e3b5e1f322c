//! A connection on its way from one process to another: what crosses between HTTP, which gives and takes parcels
//! without knowing processes, and the restart, which carries them without knowing HTTP. A plain value: nothing here
//! reads, writes or closes.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// An idle plaintext HTTP/1 connection, whole: nothing of a request or a response is anywhere else.
pub(crate) struct Parcel {
    /// The socket: connected, not blocking, known to no runtime.
    pub(crate) socket: OwnedFd,
    /// What was read from it and not used yet: half a head, or nothing.
    pub(crate) read_ahead: Bytes,
    /// Whether the peer is known to speak HTTP/1. If not, it has sent nothing yet, or no more than HTTP/2's preface may
    /// begin with.
    pub(crate) spoken: bool,
    /// How long it has been silent: the idle clock travels with it.
    pub(crate) idle: Duration,
}

/// How many bytes that were read ahead a parcel may hold at most: what a message between the two processes has room for.
pub(crate) const MOST_READ_AHEAD: usize = 96 * 1024;

/// Where parcels go. It may be called on any thread and never waits.
pub(crate) type Outbox = Arc<dyn Fn(Parcel) + Send + Sync>;

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: they may hold a secret.
        f.debug_struct("Parcel")
            .field("socket", &self.socket)
            .field("read_ahead", &self.read_ahead.len())
            .field("spoken", &self.spoken)
            .field("idle", &self.idle)
            .finish()
    }
}
