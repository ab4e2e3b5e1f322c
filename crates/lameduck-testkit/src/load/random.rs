//! Think times: they must differ, nothing more.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A xorshift generator, seeded by the standard library's hash keys.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(client: usize) -> Self {
        Self(RandomState::new().hash_one(client) | 1)
    }

    /// Anything from nothing to `limit`.
    pub(super) fn up_to(&mut self, limit: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        limit.mul_f64(part)
    }
}
