//! Waiting, in the one place that may.

use std::time::{Duration, Instant};

/// Sleeps. For clients that think and for polling what can't wake us: another process.
#[expect(
    clippy::disallowed_methods,
    reason = "a client's think time and a look at another process have nothing to wait for"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Asks every 2 ms until the answer is yes; false once `limit` is over.
#[must_use]
pub fn eventually(limit: Duration, mut yes: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if yes() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause(Duration::from_millis(2));
    }
}
