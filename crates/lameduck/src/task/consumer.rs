//! Consumers: a source over a stream of messages.

use std::future::Future;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::failure::{Ended, Failure, Next, caught};
use super::policy::Retries;
use super::{Outcome, Task};
use crate::lifecycle::{Lifecycle, Within};

/// Handles what the stream brings, so many messages at once as the task may, until the stream ends or it is told to
/// end. Then it ends what it holds.
///
/// Each message is a task of its own, so that one whose handler computes does not hold up the others. Dropping this
/// aborts them.
pub(crate) async fn consumer<S, H, F>(task: Arc<Task>, messages: S, mut handle: H) -> Ended
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
    H: FnMut(S::Item) -> F + Send + 'static,
    F: Future<Output: Outcome> + Send + 'static,
{
    let ending = task.ending.clone();
    let concurrency = task.settings().concurrency.max(1);
    let mut running: JoinSet<Ended> = JoinSet::new();
    let mut retries = Retries::new();
    let mut paused: Option<Instant> = None;
    let mut ended = Ok(());
    // In a box of its own, so that it can be dropped as soon as nothing more is wanted of it: whoever sends is told.
    let mut messages = Some(Box::pin(messages));
    while let Some(stream) = &mut messages {
        task.holds(running.len());
        let free = running.len() < concurrency && paused.is_none();
        let pause = async {
            match paused {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let next = pin!(async {
            loop {
                if let Some(next) = poll_fn(|cx| ask(&task, stream, cx)).await {
                    break next;
                }
                task.gate.opened().await;
            }
        });
        let finished = tokio::select! {
            biased;
            () = ending.cancelled() => break,
            Some(finished) = running.join_next() => Some(finished),
            () = pause => {
                paused = None;
                None
            }
            message = next, if free => {
                match message {
                    Ok(Some(message)) => {
                        let lifecycle = Lifecycle::new(Arc::clone(&task) as _, 0);
                        // Made here, one after the other, in the order in which they came.
                        let made = catch_unwind(AssertUnwindSafe(|| handle(message)));
                        let work = async move {
                            match made {
                                Ok(work) => caught(|| work).await,
                                Err(panic) => Err(Failure::panic(&*panic)),
                            }
                        };
                        running.spawn_on(Within::new(lifecycle, work), task.shared.runtime());
                    }
                    Ok(None) => break,
                    // It must not be asked again.
                    Err(panic) => {
                        ended = Err(Failure::panic(&*panic));
                        break;
                    }
                }
                None
            }
        };
        if finished.is_some() {
            task.leave();
        }
        match finished.map(flat) {
            None => {}
            Some(Ok(())) => retries.reset(),
            Some(Err(failure)) => match task.failed(failure, &mut retries) {
                Next::End(failure) => {
                    ended = Err(failure);
                    break;
                }
                Next::GoOn => {}
                Next::After(pause) => paused = Some(Instant::now() + pause),
            },
        }
    }
    messages = None;
    drop(messages);
    loop {
        task.holds(running.len());
        let Some(finished) = running.join_next().await else { return ended };
        task.leave();
        if let Err(failure) = flat(finished)
            && let Next::End(failure) = task.failed(failure, &mut retries)
        {
            // The others are still ended; the first failure is the one that is told.
            ended = ended.and(Err(failure));
        }
    }
}

/// Asks the stream for its next message, unless the gate is shut: then `None`. A message stays within the gate until
/// it has been handled.
fn ask<S: Stream + Unpin>(
    task: &Task,
    stream: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Option<std::thread::Result<Option<S::Item>>>> {
    if !task.gate.enter() {
        return Poll::Ready(None);
    }
    let next = catch_unwind(AssertUnwindSafe(|| stream.poll_next_unpin(cx)));
    if !matches!(next, Ok(Poll::Ready(Some(_)))) {
        task.leave();
    }
    match next {
        Ok(next) => next.map(|message| Some(Ok(message))),
        Err(panic) => Poll::Ready(Some(Err(panic))),
    }
}

/// What became of one message's task.
fn flat(joined: Result<Ended, tokio::task::JoinError>) -> Ended {
    match joined {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => Err(Failure::panic(&*panic)),
            // The runtime ends: so does the consumer, without a word.
            Err(_) => Ok(()),
        },
    }
}
