//! Think times, kinds of requests, bodies: they must differ, nothing more.

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
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        limit.mul_f64(part)
    }

    /// Anything from 0 to before `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    /// So many bytes of any value.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.take(count.div_ceil(8)).flatten().take(count).collect()
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
