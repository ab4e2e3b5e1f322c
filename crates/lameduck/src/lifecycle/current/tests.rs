use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::budget::Deadlines;
use crate::lifecycle::{Scope, Shared};

/// A scope that nobody asks anything.
struct Nobody;

impl Scope for Nobody {
    fn shared(&self) -> &Arc<Shared> {
        unreachable!("nobody asks")
    }

    fn over(&self) -> &CancellationToken {
        unreachable!("nobody asks")
    }

    fn deadline(&self, _: &Deadlines) -> Instant {
        unreachable!("nobody asks")
    }
}

fn handle(key: u32) -> Lifecycle {
    Lifecycle::new(Arc::new(Nobody), key)
}

fn key() -> Option<u32> {
    current().map(|handle| handle.key)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_future_has_its_handle_in_every_poll_and_nobody_else_has() {
    let mut left = 2;
    let mut future = Box::pin(Within::new(
        handle(7),
        poll_fn(move |_| {
            assert_eq!(key(), Some(7));
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        }),
    ));
    assert_eq!(key(), None);
    assert!(poll(future.as_mut()).is_pending());
    assert_eq!(key(), None);
    assert!(poll(future.as_mut()).is_ready());
    assert_eq!(key(), None);
}

#[test]
fn a_future_within_another_has_its_own_handle_and_gives_the_other_back() {
    let inner = Within::new(handle(2), async { key() });
    let outer = Within::new(handle(1), async { (key(), inner.await, key()) });
    assert_eq!(poll(Box::pin(outer).as_mut()), Poll::Ready((Some(1), Some(2), Some(1))));
}

#[test]
fn a_panic_leaves_no_handle_behind() {
    let mut future = Box::pin(Within::new(handle(1), async { panic!("on purpose") }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(future.as_mut()))).is_err());
    assert_eq!(key(), None);
}

#[test]
fn what_drops_with_the_future_sees_its_handle() {
    struct Seen(Arc<std::sync::Mutex<Option<u32>>>);
    impl Drop for Seen {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = key();
        }
    }
    let seen = Arc::default();
    let held = Seen(Arc::clone(&seen));
    drop(Within::new(handle(3), async move { drop(held) }));
    assert_eq!(*seen.lock().unwrap(), Some(3));
    assert_eq!(key(), None);
}
