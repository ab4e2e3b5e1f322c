//! A connection of which nothing has been read: it waits for its first byte without the buffer of 8 KiB that hyper
//! would read it into, so that one that never speaks costs little.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "restart")]
use bytes::Bytes;

#[cfg(feature = "restart")]
use super::parcels::give;
use super::peek::{self, peek};
#[cfg(feature = "restart")]
use crate::connections::state;
use crate::connections::{Directive, Fate, Membership, Record};
use crate::sys::{Guarded, Owning};

/// A socket whose peer has not spoken. The future ends with it once it has, or has ended its stream; with `None`
/// once a directive has ended the connection.
pub(super) struct Silent<T: Owning> {
    socket: Option<Guarded<T, Record>>,
    record: Arc<Record>,
    /// Behind the socket, so that the descriptor is closed before the record is told.
    membership: Option<Membership>,
}

impl<T: Owning> Silent<T> {
    pub(super) fn new(socket: Guarded<T, Record>, membership: Membership) -> Silent<T> {
        let record = Arc::clone(membership.record());
        Silent { socket: Some(socket), record, membership: Some(membership) }
    }
}

impl<T: Owning> Future for Silent<T> {
    type Output = Option<(Guarded<T, Record>, Membership)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let record = &this.record;
        record.keep_waker(cx.waker());
        let directive = record.directive();
        let Some(socket) = &this.socket else { return Poll::Ready(None) };
        if socket.poll_readable(cx).is_pending() {
            #[cfg(feature = "restart")]
            if directive == Directive::PassOn {
                record.done_with(directive);
                return this.pass_on();
            }
            let closes = matches!(directive, Directive::CloseIdle | Directive::Cut);
            if !closes {
                record.done_with(directive);
                return Poll::Pending;
            }
            // What has just come is for HTTP, which will find it there.
            if record.remote().with(peek) != Some(peek::Seen::Bytes) {
                record.set_fate(Fate::ClosedIdle);
                this.socket = None;
                this.membership = None;
                return Poll::Ready(None);
            }
        }
        Poll::Ready(this.socket.take().zip(this.membership.take()))
    }
}

#[cfg(feature = "restart")]
impl<T: Owning> Silent<T> {
    /// Passes the connection on to the successor.
    fn pass_on(&mut self) -> Poll<Option<(Guarded<T, Record>, Membership)>> {
        if !self.record.is_passable() {
            return Poll::Pending;
        }
        let (Some(socket), Some(membership)) = (self.socket.take(), self.membership.take()) else {
            return Poll::Ready(None);
        };
        // One that came from elsewhere may have spoken there.
        let spoken = self.record.state.has(state::SPOKEN);
        match give(socket, Guarded::into_fd, Bytes::new(), spoken, membership) {
            Ok(()) => Poll::Ready(None),
            Err((socket, _, membership)) => {
                // There is no successor any more.
                self.socket = Some(socket);
                self.membership = Some(membership);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests;
