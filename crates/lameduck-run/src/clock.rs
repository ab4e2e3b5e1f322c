//! The clock of the kernel, as systemd's protocol wants it.

use rustix::time::{ClockId, clock_gettime};

/// The monotonic time in microseconds.
pub(crate) fn monotonic_microseconds() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000)
}
