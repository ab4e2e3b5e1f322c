//! A connection that has said nothing: it waits for its first bytes without the buffer of 8 KiB that hyper would read them
//! into, so that one that never speaks costs little.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use super::opening::without_empty_lines;
#[cfg(feature = "restart")]
use super::parcels::give;
use super::peek::{self, peek};
#[cfg(feature = "restart")]
use crate::connections::state;
use crate::connections::{Directive, Fate, Membership, Record};
use crate::sys::{Guarded, Owning};

/// How much of what a peer says first is taken at once: as much as hyper would, which skips one more buffer of a body that
/// nobody reads.
const FIRST: usize = 8192;

/// A socket whose peer has not spoken. The future ends with it, and with what its peer said first, once that has spoken or
/// ended its stream; with `None` once a directive has ended the connection.
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

    fn hand_on(&mut self, first: Bytes) -> Poll<Option<Spoken<T>>> {
        let parts = self.socket.take().zip(self.membership.take());
        Poll::Ready(parts.map(|(socket, membership)| Spoken { socket, membership, first }))
    }
}

/// A socket whose peer has spoken, or ended its stream, or failed.
pub(super) struct Spoken<T: Owning> {
    pub(super) socket: Guarded<T, Record>,
    pub(super) membership: Membership,
    /// What it said, without the empty lines before it. Nothing: the socket tells.
    pub(super) first: Bytes,
}

/// Reads what the peer says first. Into memory of no connection's: an allocation for each that may never speak is what
/// this module is to save.
fn poll_first<T: Owning>(
    socket: &mut Guarded<T, Record>,
    record: &Record,
    cx: &mut Context<'_>,
) -> Poll<Bytes> {
    let mut memory = [const { MaybeUninit::uninit() }; FIRST];
    loop {
        let mut first = ReadBuf::uninit(&mut memory);
        // An error ends the connection, as the end of the stream does: HTTP, which reads again, sees that.
        let read = ready!(Pin::new(&mut *socket).poll_read(cx, &mut first));
        let said = first.filled();
        if read.is_err() || said.is_empty() {
            return Poll::Ready(Bytes::new());
        }
        let said = without_empty_lines(said);
        if !said.is_empty() {
            // At once: they are no more in the socket, where the supervisor would find them.
            record.spoke();
            return Poll::Ready(Bytes::copy_from_slice(said));
        }
    }
}

impl<T: Owning> Future for Silent<T> {
    type Output = Option<Spoken<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let record = &this.record;
        record.keep_waker(cx.waker());
        let directive = record.directive();
        let Some(socket) = &mut this.socket else { return Poll::Ready(None) };
        if let Poll::Ready(first) = poll_first(socket, record, cx) {
            return this.hand_on(first);
        }
        #[cfg(feature = "restart")]
        if directive == Directive::PassOn {
            record.done_with(directive);
            return this.pass_on();
        }
        if !matches!(directive, Directive::CloseIdle | Directive::Cut) {
            record.done_with(directive);
            return Poll::Pending;
        }
        // What has just come is for HTTP, which will find it there.
        if record.remote().with(peek) == Some(peek::Seen::Bytes) {
            return this.hand_on(Bytes::new());
        }
        record.set_fate(Fate::ClosedIdle);
        this.socket = None;
        this.membership = None;
        Poll::Ready(None)
    }
}

#[cfg(feature = "restart")]
impl<T: Owning> Silent<T> {
    /// Passes the connection on to the successor.
    fn pass_on(&mut self) -> Poll<Option<Spoken<T>>> {
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
