//! Work that blocks its thread, named and tracked.

use std::borrow::Cow;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{Lifecycle, Shared, current};
use crate::panic::message;
use crate::part::Tier;
use crate::phase::Phase;
use crate::threads::this_thread;

/// Why blocking work gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// The work panicked, with this message.
    #[error("the blocking work panicked: {0}")]
    Panicked(String),
    /// The runtime ended before the work had a thread: it did not happen.
    #[error("the blocking work did not begin: the runtime has ended")]
    NotBegun,
}

/// The result of blocking work. Dropping it leaves the work running.
///
/// Cancel safe.
#[derive(Debug)]
#[must_use = "the work runs in any case; `drop` the handle if its result does not matter"]
pub struct Blocking<T> {
    result: oneshot::Receiver<Result<T, BlockingError>>,
}

impl<T> Future for Blocking<T> {
    type Output = Result<T, BlockingError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(cx).map(|r| r.unwrap_or(Err(BlockingError::NotBegun)))
    }
}

/// Ends the record of the work however that ends.
struct Running {
    shared: Arc<Shared>,
    key: usize,
    tier: Tier,
}

impl Drop for Running {
    fn drop(&mut self) {
        let last = self.shared.blocking().end(self.key, self.tier);
        if last && self.shared.phase() >= Phase::Draining {
            self.shared.events().check();
        }
    }
}

pub(super) fn spawn<F, T>(
    caller: Lifecycle,
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    work: F,
) -> Blocking<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (sender, result) = oneshot::channel();
    let shared = Arc::clone(caller.scope.shared());
    let tier = caller.scope.tier();
    let owner = caller.scope.name(caller.key);
    let key = shared.blocking().begin(name.clone(), place, tier, owner);
    let running = Running { shared: Arc::clone(&shared), key, tier };
    drop(shared.runtime().spawn_blocking(move || {
        running.shared.blocking().runs_on(key, this_thread());
        let outcome = current::apart(caller, || catch_unwind(AssertUnwindSafe(work)));
        let outcome = outcome.map_err(|panic| {
            let message = message(&*panic);
            running.shared.note_panic(format!("blocking work `{name}` ({place}): {message}"));
            BlockingError::Panicked(message)
        });
        // First, so that whoever gets the result finds the work ended.
        drop(running);
        let _ = sender.send(outcome);
    }));
    Blocking { result }
}
