//! Timers: a source that runs something at a period.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

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
    let mut retries = Retries::new();
    let mut tick = Some(Instant::now());
    let mut due = tick;
    loop {
        task.idle();
        let is_due = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ending.cancelled() => return Ok(()),
            () = is_due => {}
        }
        if !task.gate.enter() {
            // Its ticks are missed until then.
            tokio::select! {
                biased;
                () = ending.cancelled() => return Ok(()),
                () = task.gate.opened() => {}
            }
            let now = Instant::now();
            tick =
                tick.and_then(
                    |tick| if tick > now { Some(tick) } else { next_tick(tick, now, period) },
                );
            due = tick;
            continue;
        }
        task.busy();
        let ended = caught(&mut run).await;
        task.leave();
        tick = tick.and_then(|tick| next_tick(tick, Instant::now(), period));
        due = tick;
        match ended {
            Ok(()) => retries.reset(),
            Err(failure) => match task.failed(failure, &mut retries) {
                Next::End(failure) => return Err(failure),
                Next::GoOn => {}
                Next::After(pause) => due = Instant::now().checked_add(pause),
            },
        }
    }
}

/// The next tick of a rhythm, after `now`: those missed meanwhile are skipped. `None` for one beyond all time.
fn next_tick(last: Instant, now: Instant, period: Duration) -> Option<Instant> {
    // A period of nothing would be a loop without a pause.
    let period = period.max(Duration::from_millis(1));
    let missed = now.saturating_duration_since(last).as_nanos() / period.as_nanos();
    let ahead = period.checked_mul(u32::try_from(missed + 1).ok()?)?;
    last.checked_add(ahead)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_tick_is_the_first_one_of_the_rhythm_that_is_still_to_come(period in 1u32..100_000, ran in 0u32..1_000_000) {
            let (last, period) = (Instant::now(), Duration::from_millis(period.into()));
            let now = last + Duration::from_millis(ran.into());
            let next = next_tick(last, now, period).expect("within all time");
            prop_assert!(next > now && next <= now + period);
            prop_assert_eq!((next - last).as_nanos() % period.as_nanos(), 0);
        }
    }

    #[test]
    fn a_period_without_end_or_of_nothing_is_no_trouble() {
        let now = Instant::now();
        assert_eq!(next_tick(now, now, Duration::MAX), None);
        assert!(next_tick(now, now, Duration::ZERO) > Some(now));
    }
}
