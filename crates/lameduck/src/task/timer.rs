//! Timers: a source that runs something at a period.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::failure::{Ended, Next, caught};
use super::policy::Retries;
use super::{Outcome, Task};

/// Runs `run` at once and then once a period, never twice at a time, until it is told to end.
pub(crate) async fn timer<R, F>(task: Arc<Task>, period: Duration, mut run: R) -> Ended
where
    R: FnMut() -> F + Send + 'static,
    F: Future<Output: Outcome> + Send + 'static,
{
    let ending = task.ending.clone();
    // A period of nothing would be a loop without a pause.
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    // What was missed while a run took longer is not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut retries = Retries::new();
    let mut again: Option<Instant> = None;
    loop {
        task.idle();
        let due = async {
            match again {
                Some(at) => sleep_until(at).await,
                None => drop(ticks.tick().await),
            }
        };
        tokio::select! {
            biased;
            () = ending.cancelled() => return Ok(()),
            () = due => {}
        }
        again = None;
        task.busy();
        match caught(&mut run).await {
            Ok(()) => retries.reset(),
            Err(failure) => match task.failed(failure, &mut retries) {
                Next::End(failure) => return Err(failure),
                Next::GoOn => {}
                Next::After(pause) => again = Some(Instant::now() + pause),
            },
        }
    }
}
