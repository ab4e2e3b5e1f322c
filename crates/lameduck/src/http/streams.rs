//! The tasks of HTTP/2 streams: hyper runs each on a task of its own, and to end them at a deadline their
//! wakers must be known.
//!
//! hyper's executor is given a bare future, so what it belongs to comes by way of two cells of the thread:
//! hyper calls the service for a stream and then at once, on the same thread, spawns its task; and it spawns
//! the copying of an upgraded stream while that stream's task is being polled.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::InFlight;
use crate::connections::Record;
use crate::lifecycle::{Entered, Lifecycle};

thread_local! {
    /// The key of the request that was begun last, until its task is spawned. 0: none.
    static BEGUN: Cell<u32> = const { Cell::new(0) };
    /// The guard of the request that was upgraded last, until the copying of its stream is spawned.
    static UPGRADED: Cell<Option<InFlight>> = const { Cell::new(None) };
    /// What the response's body said last, in the present poll of its stream's task.
    static OFFERED: Cell<Option<bool>> = const { Cell::new(None) };
}

/// The body of a stream's response was asked for more: `something`, if it had some. hyper does not come back
/// before the peer has made room for it.
pub(super) fn offered(something: bool) {
    OFFERED.set(Some(something));
}

/// Keeps the key of a request for the task that hyper spawns for it next.
pub(super) fn begun(key: u32) {
    BEGUN.set(key);
}

/// Keeps the guard of an upgraded request for the task that copies its stream.
pub(super) fn upgraded(guard: InFlight) {
    UPGRADED.set(Some(guard));
}

/// Spawns the streams of one connection.
#[derive(Clone)]
pub(super) struct Streams {
    record: Arc<Record>,
}

impl Streams {
    pub(super) fn new(record: Arc<Record>) -> Streams {
        Streams { record }
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let upgraded = UPGRADED.take();
        let key = match &upgraded {
            Some(guard) => guard.key(),
            None => BEGUN.replace(0),
        };
        let record = Arc::clone(&self.record);
        let runtime = record.server().shared().runtime().clone();
        let lifecycle = Some(Lifecycle::new(Arc::clone(&record) as _, key));
        drop(runtime.spawn(StreamTask {
            task: Some(task),
            lifecycle,
            upgraded,
            record,
            key,
            known: false,
            waits: false,
        }));
    }
}

pin_project! {
    /// The task of one stream.
    struct StreamTask<F> {
        #[pin]
        task: Option<F>,
        lifecycle: Option<Lifecycle>,
        // Ends the request of an upgraded stream.
        upgraded: Option<InFlight>,
        record: Arc<Record>,
        key: u32,
        known: bool,
        // It waits for the peer to make room.
        waits: bool,
    }

    impl<F> PinnedDrop for StreamTask<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(this.lifecycle);
            this.task.set(None);
        }
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let _entered = Entered::new(this.lifecycle);
        if !*this.known {
            *this.known = true;
            this.record.keep_stream_waker(*this.key, cx.waker());
        }
        if this.record.cuts_stream(*this.key) {
            // Its response is under way and its time is over: dropping it sends RST_STREAM.
            this.task.set(None);
        }
        OFFERED.set(None);
        let polled = match this.task.as_mut().as_pin_mut() {
            Some(task) => task.poll(cx),
            None => Poll::Ready(()),
        };
        if polled.is_pending()
            && let Some(waits) = OFFERED.take()
            && (waits || *this.waits)
        {
            // Never where all of a response is taken at once.
            *this.waits = waits;
            this.record.set_window_wait(*this.key, waits);
        }
        // Where hyper did not spawn the copying after all, the request ends here.
        drop(UPGRADED.take());
        if polled.is_ready()
            && let Some(guard) = this.upgraded
        {
            guard.will_end(crate::connections::Ending::Completed);
        }
        polled
    }
}
