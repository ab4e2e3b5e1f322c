//! The body of a request, watched so that the connection knows whether it was read to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::connections::Record;

/// The body of a request, as hyper reads it off the connection.
///
/// It is a [`http_body::Body`] of [`Bytes`] whose error is hyper's. A body that is not read to its end makes
/// the connection close behind the response, unless what is left of it is little and there already. It reads on for a
/// second at most then, so that what is unread does not destroy the response (RFC 9112, section 9.6).
#[derive(Debug)]
pub struct Body {
    inner: Incoming,
    /// `None` where there is nothing to read.
    watch: Option<Watch>,
}

/// What the request's record is told: that its body is waited for, was read to its end, or was dropped before that.
#[derive(Debug)]
struct Watch {
    record: Arc<Record>,
    key: u32,
    /// Which of its connection's requests it is. HTTP/1 may have begun another by now.
    begun: u32,
}

impl Watch {
    fn record(&self) -> Option<&Record> {
        let is_current = self.key != 0 || self.record.begun() == self.begun;
        is_current.then_some(&*self.record)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(record) = self.record() {
            record.body_left(self.key);
        }
    }
}

impl Body {
    pub(super) fn new(inner: Incoming, watch: Option<(Arc<Record>, u32)>) -> Body {
        let watch = watch.map(|(record, key)| Watch { begun: record.begun(), record, key });
        Body { inner, watch }
    }

    /// hyper's own body, for services that want just that. From here on the body is not watched: it counts
    /// as unread, so that a connection that closes lingers for a second if the peer does not close, and one that a stop
    /// finds with half a request is told 503 at once.
    pub fn into_incoming(mut self) -> Incoming {
        if let Some(watch) = &mut self.watch {
            // Somebody may still read it: the record is not told otherwise.
            watch.key = NOBODY;
        }
        self.inner
    }
}

/// The key of no HTTP/1 request.
const NOBODY: u32 = u32::MAX;

/// A piece of a body that is smaller than this, with more behind it, is copied.
const SMALL: usize = 1024;

/// Copies a small piece out of the buffer that it was read into. hyper reads into a new one of 8 KiB as long as
/// the one before is held: a client that sends single bytes to a handler that collects them would otherwise take
/// 8 KiB for each.
fn unpin_buffer(frame: Frame<Bytes>) -> Frame<Bytes> {
    frame.map_data(|data| if data.len() < SMALL { Bytes::copy_from_slice(&data) } else { data })
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if this.inner.is_end_stream() {
            // hyper says so late where the last piece came behind the response: with the next request, or never.
            if let Some(watch) = this.watch.take()
                && let Some(record) = watch.record()
            {
                record.body_read(watch.key);
            }
            return Poll::Ready(None);
        }
        let mut polled = Pin::new(&mut this.inner).poll_frame(cx);
        if let Some(watch) = &this.watch
            && let Some(record) = watch.record()
        {
            match &polled {
                Poll::Pending => record.set_body_wait(watch.key, true),
                Poll::Ready(Some(Ok(_))) if !this.inner.is_end_stream() => {
                    record.set_body_wait(watch.key, false);
                    polled = polled.map_ok(unpin_buffer);
                }
                Poll::Ready(Some(Err(_))) => record.set_body_wait(watch.key, false),
                Poll::Ready(Some(Ok(_)) | None) => {
                    record.body_read(watch.key);
                    this.watch = None;
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
