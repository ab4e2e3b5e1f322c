//! The supervisor's look at threads during a stop: which of them do not come back from what they run.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::kernel;
use super::slot::{self, Runs, Seen};

/// A turn that has lasted as long blocks its thread. tokio's own advice is 10 to 100 µs between two awaits.
const BLOCKED: Duration = Duration::from_millis(50);

/// What was seen of threads since the stop began.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    /// The processor time of each thread when the stop began.
    used: HashMap<i32, Duration>,
    /// The turn that each thread was in when last looked at, and since when it was seen in it.
    turns: HashMap<i32, (Seen, Instant)>,
}

/// A thread that has not come back from what it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked {
    pub(crate) thread: i32,
    /// What it runs, if that belongs to a service.
    pub(crate) runs: Option<Runs>,
    /// For how long at least.
    pub(crate) time: Duration,
}

impl Watch {
    /// The stop begins now.
    pub(crate) fn begin(now: Instant) -> Watch {
        let known = kernel::threads().into_iter();
        let used = known.filter_map(|thread| Some((thread, kernel::ask(thread)?.used))).collect();
        let mut watch = Watch { began: now, used, turns: HashMap::new() };
        watch.look(now);
        watch
    }

    /// Looks at every thread.
    pub(crate) fn look(&mut self, now: Instant) {
        self.note(slot::look(), now);
    }

    fn note(&mut self, seen: Vec<Seen>, now: Instant) {
        let before = std::mem::take(&mut self.turns);
        for seen in seen {
            let since = before
                .get(&seen.thread)
                .filter(|(last, _)| last.turns == seen.turns)
                .map_or(now, |(_, since)| *since);
            self.turns.insert(seen.thread, (seen, since));
        }
    }

    /// The threads that have not come back for a while, as of the last look.
    pub(crate) fn blocked(&self, now: Instant) -> Vec<Blocked> {
        let mut blocked: Vec<Blocked> = self
            .turns
            .values()
            .filter(|(seen, _)| !seen.parked && (seen.worker || seen.runs.is_some()))
            .map(|(seen, since)| Blocked {
                thread: seen.thread,
                runs: seen.runs,
                time: now.saturating_duration_since(*since),
            })
            .filter(|blocked| blocked.time >= BLOCKED)
            .collect();
        blocked.sort_by_key(|blocked| blocked.thread);
        blocked
    }

    /// What a thread is doing, as far as the kernel tells; its name too.
    pub(crate) fn describe(&self, thread: i32, now: Instant) -> Option<(String, String)> {
        let known = kernel::ask(thread)?;
        let before = self.used.get(&thread).copied().unwrap_or_default();
        let used = known.used.saturating_sub(before);
        let since = now.saturating_duration_since(self.began);
        let doing = kernel::describe(known.state, known.wchan.as_deref(), used, since);
        Some((known.name, doing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(thread: i32, turns: u64, runs: bool) -> Seen {
        let runs = runs.then_some(Runs { scope: 1, key: 0 });
        Seen { thread, turns, runs, worker: false, parked: false }
    }

    #[test]
    fn only_a_thread_whose_turn_stays_the_same_is_blocked() {
        let now = Instant::now();
        let mut watch = Watch { began: now, used: HashMap::new(), turns: HashMap::new() };
        let parked = Seen { worker: true, parked: true, ..seen(4, 7, false) };
        let unknown = Seen { worker: true, ..seen(5, 7, false) };
        watch.note(
            vec![seen(1, 7, true), seen(2, 7, true), seen(3, 7, false), parked, unknown],
            now,
        );
        let later = now + Duration::from_secs(2);
        watch.note(
            vec![seen(1, 7, true), seen(2, 8, true), seen(3, 7, false), parked, unknown],
            later,
        );
        let blocked = watch.blocked(later);
        let threads: Vec<i32> = blocked.iter().map(|blocked| blocked.thread).collect();
        // 2 has come back, 3 runs nothing of ours and is no thread of the runtime, 4 waits for work.
        assert_eq!(threads, [1, 5]);
        assert_eq!(blocked[0].time, Duration::from_secs(2));
        assert_eq!(blocked[0].runs, Some(Runs { scope: 1, key: 0 }));
    }
}
