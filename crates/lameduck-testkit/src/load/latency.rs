//! How long requests took: every one of them is kept, so that no percentile is an estimate.

use std::fmt;
use std::time::Duration;

/// Times of requests, to a microsecond.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latency {
    micros: Vec<u32>,
    /// Whether they are in order.
    sorted: bool,
}

impl Latency {
    pub(super) fn add(&mut self, took: Duration) {
        self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.sorted = false;
    }

    /// Adds another load's.
    pub fn merge(&mut self, other: &Self) {
        self.micros.extend_from_slice(&other.micros);
        self.sorted = false;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// The time within which this part of them was answered: 0.999 for p99.9, 1.0 for the longest. By nearest rank, so
    /// it is one of them; nothing if there are none.
    pub fn within(&mut self, part: f64) -> Duration {
        if !std::mem::replace(&mut self.sorted, true) {
            self.micros.sort_unstable();
        }
        let rank = (self.micros.len() as f64 * part).ceil() as usize;
        let micros = self.micros.get(rank.max(1) - 1).or(self.micros.last());
        Duration::from_micros(micros.copied().unwrap_or_default().into())
    }
}

/// Requests begun in quiet times, and those begun while something was done to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// In quiet times.
    pub quiet: Latency,
    /// While the server was restarted, or reloaded.
    pub disturbed: Latency,
}

impl Latencies {
    pub(super) fn add(&mut self, disturbed: bool, took: Duration) {
        if disturbed { &mut self.disturbed } else { &mut self.quiet }.add(took);
    }

    /// Adds another load's.
    pub fn merge(&mut self, other: &Self) {
        self.quiet.merge(&other.quiet);
        self.disturbed.merge(&other.disturbed);
    }

    /// p50, p99, p99.9 and the longest of both, in ms.
    #[must_use]
    pub fn summary(&mut self) -> String {
        format!("quiet {}; disturbed {}", Summary::of(&mut self.quiet), {
            Summary::of(&mut self.disturbed)
        })
    }
}

/// The usual figures.
struct Summary {
    count: usize,
    times: [Duration; 4],
}

impl Summary {
    fn of(latency: &mut Latency) -> Self {
        let times = [0.5, 0.99, 0.999, 1.0].map(|part| latency.within(part));
        Self { count: latency.count(), times }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999, longest] = self.times.map(|time| time.as_secs_f64() * 1e3);
        write!(
            f,
            "p50 {p50:.2} p99 {p99:.2} p99.9 {p999:.2} longest {longest:.2} ms of {}",
            self.count
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, Latency};

    fn of(millis: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::default();
        millis.into_iter().for_each(|ms| latency.add(Duration::from_millis(ms)));
        latency
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let mut latency = of((1..=1000).rev());
        for (part, ms) in [(0.0, 1), (0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000)] {
            assert_eq!(latency.within(part), Duration::from_millis(ms), "{part}");
        }
        latency.merge(&of([2000]));
        assert_eq!(latency.within(1.0), Duration::from_millis(2000));
    }

    #[test]
    fn of_none_there_is_nothing_to_say() {
        assert_eq!(of([]).within(0.999), Duration::ZERO);
        assert_eq!(of([7]).within(0.001), Duration::from_millis(7));
    }

    #[test]
    fn quiet_and_disturbed_are_kept_apart() {
        let mut both = Latencies::default();
        both.add(false, Duration::from_millis(1));
        both.add(true, Duration::from_millis(20));
        assert_eq!(
            both.summary(),
            "quiet p50 1.00 p99 1.00 p99.9 1.00 longest 1.00 ms of 1; \
             disturbed p50 20.00 p99 20.00 p99.9 20.00 longest 20.00 ms of 1"
        );
    }
}
