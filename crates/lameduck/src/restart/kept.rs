//! What a predecessor keeps of the connections that it has passed on, until the hand-over is over.
//!
//! A connection is taken back only where nobody can have read from it or written to it since: a request that was read
//! twice would be done twice, and one that was read and forgotten is lost.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use crate::parcel::Parcel;
use crate::part::Part;
use crate::sys::{Used, used};

/// The connections that were passed on.
#[derive(Default)]
pub(super) struct Kept {
    each: Vec<One>,
}

struct One {
    part: Arc<dyn Part>,
    parcel: Parcel,
    since: Instant,
    wave: u32,
    index: u16,
    /// What had gone through the socket when it was passed on.
    mark: Option<Used>,
    taken: bool,
}

/// What became of those that were to be taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TakenBack {
    /// Served by this process again.
    pub(super) served: usize,
    /// Closed, since somebody may have read from it.
    pub(super) closed: usize,
}

impl Kept {
    /// Keeps what goes out with a wave.
    pub(super) fn keep(&mut self, part: Arc<dyn Part>, parcel: Parcel, wave: u32, index: u16) {
        let mark = used(parcel.socket.as_fd());
        let since = Instant::now();
        self.each.push(One { part, parcel, since, wave, index, mark, taken: false });
    }

    /// The sockets of a wave, in order.
    pub(super) fn sockets(&self, wave: u32) -> impl Iterator<Item = &Parcel> {
        self.each.iter().filter(move |one| one.wave == wave).map(|one| &one.parcel)
    }

    /// The successor has as many of a wave as this: the others are served here again.
    pub(super) fn taken(&mut self, wave: u32, count: u16) {
        for one in &mut self.each {
            one.taken |= one.wave == wave && one.index < count;
        }
        self.take_back(|one| one.wave == wave && !one.taken);
    }

    /// The successor cannot serve these of a wave: they are served here again.
    pub(super) fn refused(&mut self, wave: u32, which: &[u16]) {
        self.take_back(|one| one.wave == wave && which.contains(&one.index));
    }

    /// How many the successor has.
    pub(super) fn count_taken(&self) -> usize {
        self.each.iter().filter(|one| one.taken).count()
    }

    /// The successor takes nothing more, but goes on with what it has.
    pub(super) fn take_back_untaken(&mut self) -> TakenBack {
        let back = self.take_back(|one| !one.taken);
        self.each.clear();
        back
    }

    /// The successor is dead: everything is taken back that can be.
    pub(super) fn take_back_all(&mut self) -> TakenBack {
        let mut back = self.take_back(|one| {
            may_be_taken_back(one.taken, one.mark, used(one.parcel.socket.as_fd()))
        });
        back.closed += self.each.len();
        self.each.clear();
        back
    }

    /// Nothing will be taken back.
    pub(super) fn let_go(&mut self) {
        self.each.clear();
    }

    fn take_back(&mut self, which: impl Fn(&One) -> bool) -> TakenBack {
        let mut back = TakenBack::default();
        for one in self.each.extract_if(.., |one| which(one)) {
            match give_back(&one.part, one.parcel, one.since) {
                Ok(()) => back.served += 1,
                Err(_closed) => back.closed += 1,
            }
        }
        back
    }
}

/// Has a part serve a connection again that was passed on at that time.
///
/// # Errors
/// It cannot: the parcel.
pub(super) fn give_back(
    part: &Arc<dyn Part>,
    mut parcel: Parcel,
    since: Instant,
) -> Result<(), Parcel> {
    parcel.idle = parcel.idle.saturating_add(since.elapsed());
    part.adopt(parcel)
}

/// Whether a connection may be taken back from a successor that is dead.
fn may_be_taken_back(taken: bool, mark: Option<Used>, now: Option<Used>) -> bool {
    match mark {
        Some(_) => mark == now,
        // Where the kernel cannot say: nobody reads before it has said that it took it.
        None => !taken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_has_used_is_taken_back() {
        let (then, later) = (Used { read: 10, written: 20 }, Used { read: 11, written: 20 });
        for (taken, mark, now, may) in [
            (false, Some(then), Some(then), true),
            (true, Some(then), Some(then), true),
            // Its word that it took it may have died with it.
            (false, Some(then), Some(later), false),
            (true, Some(then), Some(later), false),
            // Reset meanwhile, or ended.
            (true, Some(then), None, false),
            // A Unix socket.
            (false, None, None, true),
            (true, None, None, false),
        ] {
            assert_eq!(may_be_taken_back(taken, mark, now), may, "{taken} {mark:?} {now:?}");
        }
    }
}
