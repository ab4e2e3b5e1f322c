//! Which handle the code that runs on this thread now has: it travels with a future from poll to poll, not with
//! the request, whose extensions would cost an allocation.
//!
//! Invariants:
//! 1. Whatever ends a poll, a panic included, the handle that was there before is there again.
//! 2. What is dropped with a future sees its handle too.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Lifecycle;

thread_local! {
    static CURRENT: Cell<Option<Lifecycle>> = const { Cell::new(None) };
}

/// The handle of what runs on this thread now.
pub(super) fn current() -> Option<Lifecycle> {
    // A thread that is about to end has none.
    CURRENT
        .try_with(|cell| {
            let current = cell.take();
            let copy = current.clone();
            cell.set(current);
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
    let _ = CURRENT.try_with(|cell| *slot = cell.replace(slot.take()));
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
