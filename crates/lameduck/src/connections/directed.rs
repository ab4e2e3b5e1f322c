//! What the supervisor has told a connection to do: a directive, and on account of which request, in one atomic word.
//! Between the supervisor's look and the poll in which the connection obeys, its request may end and another begin: that
//! one must not pay for what the one before did.

#[cfg(lameduck_loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(lameduck_loom))]
use std::sync::atomic::{AtomicU64, Ordering};

use super::Directive;

/// A directive as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// What is to be done.
    pub(crate) directive: Directive,
    /// How many requests had begun when the connection was looked at.
    begun: u32,
}

impl Given {
    /// Out of a word whose low byte is the directive, and the four above it the number of requests.
    fn of(word: u64) -> Given {
        let [directive, a, b, c, d, ..] = word.to_le_bytes();
        Given { directive: Directive::from_u8(directive), begun: u32::from_le_bytes([a, b, c, d]) }
    }

    fn word(self) -> u64 {
        let [a, b, c, d] = self.begun.to_le_bytes();
        u64::from_le_bytes([self.directive as u8, a, b, c, d, 0, 0, 0])
    }

    /// Whether it is void for an HTTP/1 connection of which so many requests have begun by now: it was given because of
    /// what an earlier one did, or because there was none.
    #[inline]
    pub(crate) fn is_void(self, begun: u32) -> bool {
        let of_a_request = match self.directive {
            Directive::CloseIdle
            | Directive::HeadTimeout
            | Directive::Stalled
            | Directive::BodyTimeout
            | Directive::RequestTimeout => true,
            Directive::None
            | Directive::Goaway
            | Directive::AssumePong
            | Directive::PassOn
            | Directive::Gone
            | Directive::Cut => false,
        };
        of_a_request && self.begun != begun
    }
}

/// What a connection was told. The supervisor writes it, and its task, which puts [`Directive::None`] in the place of what
/// it has done.
#[derive(Debug)]
pub(super) struct Directed(AtomicU64);

impl Directed {
    pub(super) fn new() -> Directed {
        Directed(AtomicU64::new(Directive::None as u64))
    }

    #[inline]
    pub(super) fn get(&self) -> Given {
        Given::of(self.0.load(Ordering::Acquire))
    }

    /// Tells it: in the place of a lower directive, or of one that is void by now. `true`: it is news.
    pub(super) fn give(&self, directive: Directive, begun: u32) -> bool {
        let new = Given { directive, begun };
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let before = Given::of(now);
            if before.directive >= directive && !before.is_void(begun) {
                return false;
            }
            match self.0.compare_exchange_weak(now, new.word(), Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(seen) => now = seen,
            }
        }
    }

    /// The task takes no notice of that; what was given since stays.
    pub(super) fn void(&self, given: Given) {
        let (now, none) = (given.word(), Directive::None as u64);
        let _ = self.0.compare_exchange(now, none, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The task has done that; a higher one may have come meanwhile and stays.
    pub(super) fn done_with(&self, directive: Directive) {
        let now = self.0.load(Ordering::Acquire);
        if Given::of(now).directive == directive {
            let none = Directive::None as u64;
            let _ = self.0.compare_exchange(now, none, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(lameduck_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_higher_directive_replaces_a_lower_one_and_the_same_is_no_news() {
        let directed = Directed::new();
        assert_eq!(directed.get().directive, Directive::None);
        assert!(directed.give(Directive::Stalled, 3));
        assert!(!directed.give(Directive::Stalled, 3));
        assert!(!directed.give(Directive::CloseIdle, 3));
        assert!(directed.give(Directive::RequestTimeout, 3));
        directed.done_with(Directive::Stalled);
        assert_eq!(directed.get(), Given { directive: Directive::RequestTimeout, begun: 3 });
        directed.done_with(Directive::RequestTimeout);
        assert_eq!(directed.get().directive, Directive::None);
    }

    #[test]
    fn what_one_request_did_says_nothing_to_the_next() {
        for directive in [
            Directive::CloseIdle,
            Directive::HeadTimeout,
            Directive::Stalled,
            Directive::BodyTimeout,
            Directive::RequestTimeout,
        ] {
            let directed = Directed::new();
            assert!(directed.give(directive, u32::MAX));
            assert!(!directed.get().is_void(u32::MAX), "{directive:?}");
            assert!(directed.get().is_void(0), "{directive:?}");
            // A lower one that is not void goes before a void one.
            assert!(directed.give(Directive::CloseIdle, 0), "{directive:?}");
            assert_eq!(directed.get(), Given { directive: Directive::CloseIdle, begun: 0 });
        }
    }

    #[test]
    fn what_is_given_anew_outlives_what_was_void() {
        let directed = Directed::new();
        assert!(directed.give(Directive::RequestTimeout, 5));
        let seen = directed.get();
        assert!(directed.give(Directive::RequestTimeout, 6));
        directed.void(seen);
        assert_eq!(directed.get(), Given { directive: Directive::RequestTimeout, begun: 6 });
        directed.void(directed.get());
        assert_eq!(directed.get().directive, Directive::None);
    }

    #[test]
    fn what_concerns_the_connection_stands() {
        for directive in [
            Directive::Goaway,
            Directive::AssumePong,
            Directive::PassOn,
            Directive::Gone,
            Directive::Cut,
        ] {
            let directed = Directed::new();
            assert!(directed.give(directive, 7));
            assert!(!directed.get().is_void(8), "{directive:?}");
            assert!(!directed.give(directive, 8), "{directive:?}");
        }
    }
}

#[cfg(all(test, lameduck_loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn what_is_given_while_the_task_obeys_is_not_forgotten() {
        loom::model(|| {
            let directed = Arc::new(Directed::new());
            assert!(directed.give(Directive::CloseIdle, 1));
            let supervisor = {
                let directed = Arc::clone(&directed);
                thread::spawn(move || directed.give(Directive::Cut, 1))
            };
            directed.done_with(Directive::CloseIdle);
            assert!(supervisor.join().unwrap());
            assert_eq!(directed.get().directive, Directive::Cut);
        });
    }
}
