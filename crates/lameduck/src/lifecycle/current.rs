//! Which handle the code that runs on this thread now has: it travels with a future from poll to poll, not with
//! the request, whose extensions would cost an allocation.
//!
//! Invariants:
//! 1. Whatever ends a poll, a panic included, the handle that was there before is there again.
//! 2. What is dropped with a future sees its handle too.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Lifecycle;
use crate::threads::Slot;

/// What a thread knows of itself.
struct Here {
    lifecycle: Cell<Option<Lifecycle>>,
    /// The thread is one that may be blocked: nobody else waits for it.
    apart: Cell<bool>,
    /// The same for the supervisor, which wants to know what a thread runs that does not come back.
    slot: OnceCell<Arc<Slot>>,
}

thread_local! {
    static HERE: Here = const { Here {
        lifecycle: Cell::new(None),
        apart: Cell::new(false),
        slot: OnceCell::new(),
    } };
}

/// Does work that may block its thread: it has the caller's handle, but that thread keeps nothing of the caller's from
/// running.
pub(super) fn apart<R>(lifecycle: Lifecycle, work: impl FnOnce() -> R) -> R {
    let set = |apart| {
        let _ = HERE.try_with(|here| here.apart.set(apart));
    };
    let mut lifecycle = Some(lifecycle);
    set(true);
    let entered = Entered::new(&mut lifecycle);
    let result = work();
    drop(entered);
    set(false);
    result
}

/// A thread of the runtime begins that runs tasks.
pub(crate) fn begin_worker() {
    let _ = HERE.try_with(|here| here.slot.get_or_init(Slot::register).is_worker());
}

/// A thread of the runtime parks, or has work again.
pub(crate) fn park(parked: bool) {
    let _ = HERE.try_with(|here| here.slot.get_or_init(Slot::register).park(parked));
}

/// The handle of what runs on this thread now.
pub(super) fn current() -> Option<Lifecycle> {
    // A thread that is about to end has none.
    HERE.try_with(|here| {
        let current = here.lifecycle.take();
        let copy = current.clone();
        here.lifecycle.set(current);
        copy
    })
    .ok()
    .flatten()
}

/// As long as it lives, the thread's handle is the one in `slot`, and what was there before waits in `slot`.
#[must_use = "dropping it changes back"]
pub(crate) struct Entered<'a>(&'a mut Option<Lifecycle>);

impl<'a> Entered<'a> {
    #[inline]
    pub(crate) fn new(slot: &'a mut Option<Lifecycle>) -> Entered<'a> {
        exchange(slot);
        Entered(slot)
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        exchange(self.0);
    }
}

#[inline]
fn exchange(slot: &mut Option<Lifecycle>) {
    let _ = HERE.try_with(|here| {
        let published = here.slot.get_or_init(Slot::register);
        let runs = slot.as_ref().filter(|_| !here.apart.get()).map(Lifecycle::runs);
        published.publish(runs);
        *slot = here.lifecycle.replace(slot.take());
    });
}

pin_project! {
    /// A future with the handle that the code in it has.
    ///
    /// tokio's task-local does the same for any type, at several times the cost (docs/performance.md).
    pub(crate) struct Within<F> {
        lifecycle: Option<Lifecycle>,
        // Empty only while it drops.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Within<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = Entered::new(this.lifecycle);
            this.future.set(None);
        }
    }
}

impl<F> Within<F> {
    pub(crate) fn new(lifecycle: Lifecycle, future: F) -> Within<F> {
        Within { lifecycle: Some(lifecycle), future: Some(future) }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::new(this.lifecycle);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
