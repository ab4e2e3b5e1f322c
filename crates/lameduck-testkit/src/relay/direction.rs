//! One direction of one connection: what was read on one side and is due on the other.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What arrives one delay later.
#[derive(Debug)]
pub(super) enum Item {
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

/// Held back in order. The sender counts as blocked while too much is under way, as by a full window.
#[derive(Debug)]
pub(super) struct Direction {
    items: VecDeque<(Instant, Item)>,
    bytes: usize,
    delay: Duration,
    /// The sending side has ended: nothing more is read from it.
    pub(super) ended: bool,
    /// The end of the stream was delivered.
    pub(super) closed: bool,
}

const WINDOW: usize = 4 << 20;

impl Direction {
    pub(super) fn new(delay: Duration) -> Self {
        Self { items: VecDeque::new(), bytes: 0, delay, ended: false, closed: false }
    }

    pub(super) fn push(&mut self, now: Instant, item: Item) {
        if let Item::Bytes(bytes) = &item {
            self.bytes += bytes.len();
        }
        self.items.push_back((now + self.delay, item));
    }

    pub(super) fn has_room(&self) -> bool {
        !self.ended && self.bytes < WINDOW
    }

    /// When the next item is due; `None` if there is none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.items.front().map(|(due, _)| *due)
    }

    /// The next item, if its time has come.
    pub(super) fn next(&mut self, now: Instant) -> Option<Item> {
        let (_, item) = self.items.pop_front_if(|(due, _)| *due <= now)?;
        if let Item::Bytes(bytes) = &item {
            self.bytes -= bytes.len();
        }
        Some(item)
    }

    /// Puts back what the receiving side didn't take.
    pub(super) fn put_back(&mut self, now: Instant, rest: Vec<u8>) {
        self.bytes += rest.len();
        self.items.push_front((now, Item::Bytes(rest)));
    }
}
