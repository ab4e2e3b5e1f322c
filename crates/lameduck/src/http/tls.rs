//! TLS in front of HTTP: certificates that can be read again, handshakes, and the stream that HTTP then runs on.
//!
//! 1. A connection is in the record from its accept on, its handshake included, and the handshake runs on the
//!    connection's own task: nobody waits for it but its peer.
//! 2. Bytes that the kernel has given away, but that are no whole TLS record yet, count as a part of a request's
//!    head: looking into the socket cannot find them.
//! 3. An orderly end sends close_notify, a cut does not, so that a peer can tell them apart.
//! 4. No private key and nothing of one appears in an error, in the log or in `Debug`.

mod encrypted;
mod error;
mod handle;
mod handshake;
mod pair;
mod records;
mod watched;

use std::future::Future;

pub use self::error::TlsError;
pub use self::handle::Tls;
use self::handshake::Handshake;
use super::connection::{Connection, Handle, Io};
use crate::connections::Membership;

/// Serves a connection that begins with a handshake.
pub(super) fn serve<I: Io, S: Handle>(
    io: I,
    membership: Membership,
    tls: &Tls,
    service: S,
) -> impl Future<Output = ()> + Send + 'static {
    // Not within the future: if that is dropped before its first poll, the stream must go before the membership.
    let handshake = Handshake::new(io, membership, tls.config());
    async move {
        if let Some((stream, membership, http2)) = handshake.await {
            Connection::new(stream, membership, service, Some(http2), bytes::Bytes::new()).await;
        }
    }
}
