//! Work that ends even when its caller is gone.

use std::borrow::Cow;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{Lifecycle, ServiceScope, Shared, Within};
use crate::panic::message;
use crate::phase::Phase;
use crate::threads::Runs;

/// Why a shield gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShieldError {
    /// The work panicked, with this message.
    #[error("the shielded work panicked: {0}")]
    Panicked(String),
    /// The finish deadline came before its end, or its start was given up, or, where it began while the resources close,
    /// the close deadline: what it did so far stands, the rest did not happen.
    #[error("the shielded work was abandoned at its deadline")]
    Abandoned,
}

/// The result of a shield. Dropping it leaves the work running.
///
/// Cancel safe.
#[derive(Debug)]
#[must_use = "the work runs in any case; `drop` the handle if its result does not matter"]
pub struct Shielded<T> {
    result: oneshot::Receiver<Result<T, ShieldError>>,
}

impl<T> Future for Shielded<T> {
    type Output = Result<T, ShieldError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is dropped without a word only when the runtime drops the task.
        Pin::new(&mut self.result).poll(cx).map(|r| r.unwrap_or(Err(ShieldError::Abandoned)))
    }
}

/// Ends the shield's record however its task ends.
struct Running {
    shared: Arc<Shared>,
    key: usize,
}

impl Drop for Running {
    fn drop(&mut self) {
        let last = self.shared.shields().end(self.key);
        if last && self.shared.phase() >= Phase::Finishing {
            self.shared.events().check();
        }
    }
}

pub(super) fn spawn<F>(
    shared: &Arc<Shared>,
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    work: F,
) -> Shielded<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (sender, result) = oneshot::channel();
    let scope = Arc::new(ServiceScope(Arc::clone(shared)));
    let key = shared.shields().begin(name.clone(), place, Runs::of(Arc::as_ptr(&scope), 0));
    let running = Running { shared: Arc::clone(shared), key };
    let lifecycle = Lifecycle::new(scope, 0);
    let over = match shared.phase() < Phase::Closing {
        true => shared.finish_over.clone(),
        // The finish deadline is behind it.
        false => shared.close_over.clone(),
    };
    drop(shared.runtime().spawn(async move {
        let work = Within::new(lifecycle, AssertUnwindSafe(work).catch_unwind());
        let outcome = tokio::select! {
            biased;
            done = work => done.map_err(|panic| {
                let message = message(&*panic);
                running.shared.note_panic(format!("shield `{name}` ({place}): {message}"));
                ShieldError::Panicked(message)
            }),
            () = over.cancelled() => Err(ShieldError::Abandoned),
        };
        let _ = sender.send(outcome);
        drop(running);
    }));
    Shielded { result }
}
