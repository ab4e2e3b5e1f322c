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
use crate::connections::{Ending, Record};
use crate::lifecycle::{Entered, Lifecycle};

thread_local! {
    /// The request that was begun last, until its task is spawned.
    static BEGUN: Cell<Option<Begun>> = const { Cell::new(None) };
    /// The guard of the request that was upgraded last, until the copying of its stream is spawned.
    static UPGRADED: Cell<Option<InFlight>> = const { Cell::new(None) };
    /// What was said of the stream in the present poll of its task.
    static SAID: Cell<Said> = const { Cell::new(Said::NOTHING) };
}

/// A request without its task.
struct Begun {
    record: Arc<Record>,
    key: u32,
    lifecycle: Option<Lifecycle>,
}

/// What is said of a stream while its task is polled, to be noted in the record afterwards: nothing of it has to be
/// where the stream is over by then, and most are.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// The head of its response is out.
    responded: bool,
    /// Its response's body was asked for more: whether it had some. hyper does not come back before the peer has made
    /// room for it.
    offered: Option<bool>,
}

impl Said {
    const NOTHING: Said = Said { responded: false, offered: None };
}

fn say(change: impl FnOnce(&mut Said)) {
    let mut said = SAID.get();
    change(&mut said);
    SAID.set(said);
}

/// The body of a stream's response was asked for more: `something`, if it had some.
pub(super) fn offered(something: bool) {
    say(|said| said.offered = Some(something));
}

/// The head of a stream's response is out.
pub(super) fn responded() {
    say(|said| said.responded = true);
}

/// Keeps a request for the task that hyper spawns for it next.
pub(super) fn begun(record: Arc<Record>, key: u32, lifecycle: Option<Lifecycle>) {
    BEGUN.set(Some(Begun { record, key, lifecycle }));
}

/// Keeps the guard of an upgraded request for the task that copies its stream.
pub(super) fn upgraded(guard: InFlight) {
    UPGRADED.set(Some(guard));
}

/// Spawns the streams of all connections.
#[derive(Clone)]
pub(super) struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let upgraded = UPGRADED.take();
        let begun = match &upgraded {
            Some(guard) => {
                let (record, key) = (Arc::clone(guard.record()), guard.key());
                let lifecycle = Some(Lifecycle::new(Arc::clone(&record) as _, key));
                Some(Begun { record, key, lifecycle })
            }
            None => BEGUN.take(),
        };
        let Some(Begun { record, key, lifecycle }) = begun else {
            // Not for all that hyper 1.12 does; dropped here, its stream is reset.
            tracing::error!(target: "lameduck", "hyper spawned a stream without a request");
            return;
        };
        let server = Arc::clone(record.server());
        drop(server.shared().runtime().spawn(StreamTask {
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
            if this.task.is_some() {
                let _entered = Entered::new(this.lifecycle);
                this.task.set(None);
            }
        }
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let _entered = Entered::new(this.lifecycle);
        if this.record.cuts_stream(*this.key) {
            // Its response is under way and its time is over: dropping it sends RST_STREAM.
            this.task.set(None);
        }
        SAID.set(Said::NOTHING);
        let polled = match this.task.as_mut().as_pin_mut() {
            Some(task) => task.poll(cx),
            None => Poll::Ready(()),
        };
        if polled.is_pending() {
            let Said { responded, offered } = SAID.get();
            let waker = (!*this.known).then(|| cx.waker());
            // Never where all of a response is taken at once.
            let waits = offered.filter(|waits| *waits || *this.waits);
            *this.known = true;
            *this.waits = waits.unwrap_or(*this.waits);
            if (waker.is_some() || responded || waits.is_some())
                && this.record.stream_waits(*this.key, waker, responded, waits)
            {
                cx.waker().wake_by_ref();
            }
        }
        // Where hyper did not spawn the copying after all, the request ends here.
        drop(UPGRADED.take());
        if polled.is_ready() {
            this.task.set(None);
            if let Some(guard) = this.upgraded {
                guard.will_end(Ending::Completed);
            }
        }
        polled
    }
}
