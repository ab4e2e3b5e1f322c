//! Whether a task is hung. Pure: a function of what it promised, when it last beat, and now.

use std::time::Duration;

/// Whether a task is hung. `last` is its last beat, or when it took up what it is at, if that was later; none while it
/// waits for work. All three count from the same instant.
///
/// Without a promise there is no verdict: a task that is only slow is never hung.
pub(super) fn is_hung(promise: Option<Duration>, last: Option<Duration>, now: Duration) -> bool {
    match (promise, last) {
        (Some(promise), Some(last)) => now.saturating_sub(last) > promise,
        (None, _) | (_, None) => false,
    }
}

/// How long until it is to be judged again: often enough that a short promise is not found broken a second late.
pub(super) fn ask_again(promise: Duration) -> Duration {
    (promise / 4).clamp(Duration::from_millis(10), Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_promise_is_broken_when_its_time_is_over_and_not_before() {
        assert!(!is_hung(Some(30 * SECOND), Some(10 * SECOND), 40 * SECOND));
        assert!(is_hung(Some(30 * SECOND), Some(10 * SECOND), 41 * SECOND));
    }

    proptest! {
        #[test]
        fn without_a_promise_there_is_no_verdict(last in any::<Option<u32>>(), now in any::<u32>()) {
            let last = last.map(|last| last * Duration::from_millis(1));
            prop_assert!(!is_hung(None, last, now * Duration::from_millis(1)));
        }

        #[test]
        fn a_task_that_waits_for_work_is_never_hung(promise in any::<Option<u32>>(), now in any::<u32>()) {
            let promise = promise.map(|promise| promise * Duration::from_millis(1));
            prop_assert!(!is_hung(promise, None, now * Duration::from_millis(1)));
        }

        /// A beat that is noted later than it came can only speak for the task.
        #[test]
        fn a_later_beat_never_makes_a_task_hung(promise: u32, last: u32, later: u32, now: u32) {
            let (promise, last) = (promise * Duration::from_millis(1), last * Duration::from_millis(1));
            let (later, now) = (last + later * Duration::from_millis(1), now * Duration::from_millis(1));
            if !is_hung(Some(promise), Some(last), now) {
                prop_assert!(!is_hung(Some(promise), Some(later), now));
            }
        }
    }
}
