//! The tasks of HTTP/2 streams: hyper runs each on a task of its own, and to end them at a deadline their
//! wakers must be known.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::connections::Record;

/// Spawns the streams of one connection.
#[derive(Clone)]
pub(super) struct Streams {
    record: Arc<Record>,
    begun: Arc<AtomicU32>,
}

impl Streams {
    /// `begun` holds the key of the request that was begun last: hyper calls the service for a stream and
    /// then at once asks for its task.
    pub(super) fn new(record: Arc<Record>, begun: Arc<AtomicU32>) -> Streams {
        Streams { record, begun }
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let key = self.begun.swap(0, Ordering::Relaxed);
        let runtime = self.record.server().shared().runtime();
        // Without a key it is the copying of an upgraded stream, which ends with the connection.
        let record = (key != 0).then(|| Arc::clone(&self.record));
        drop(runtime.spawn(StreamTask { task: Some(task), record, key, known: false }));
    }
}

pin_project! {
    /// The task of one stream.
    struct StreamTask<F> {
        #[pin]
        task: Option<F>,
        record: Option<Arc<Record>>,
        key: u32,
        known: bool,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(record) = this.record {
            if !*this.known {
                *this.known = true;
                record.keep_stream_waker(*this.key, cx.waker());
            }
            if record.is_over(*this.key) && record.head_is_out(*this.key) {
                // Its response is under way and its time is over: dropping it sends RST_STREAM.
                this.task.set(None);
            }
        }
        match this.task.as_mut().as_pin_mut() {
            Some(task) => task.poll(cx),
            None => Poll::Ready(()),
        }
    }
}
