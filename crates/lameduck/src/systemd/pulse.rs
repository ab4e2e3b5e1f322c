//! Whether the runtime answers: a task on it counts, and the supervisor looks whether the count has moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::MissedTickBehavior;

/// The count of a task on the runtime.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Has a task count once in each `period`, for as long as the runtime lives.
    pub(super) fn begin(runtime: &Handle, period: Duration) -> Pulse {
        let pulse = Pulse::default();
        let count = Arc::clone(&pulse.0);
        drop(runtime.spawn(async move {
            let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        }));
        pulse
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
