//! The state of one connection: flags in one atomic word, so that the connection's task and the supervisor
//! thread can settle who answers without a lock.

#[cfg(lameduck_loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(lameduck_loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of a request head were read, and the request did not begin yet.
pub(crate) const HEAD: u32 = 1;
/// A request is with the service or its response is being written (HTTP/1), or a stream is open (HTTP/2).
pub(crate) const REQUEST: u32 = 1 << 1;
/// The response head of that request was handed to hyper.
pub(crate) const HEAD_OUT: u32 = 1 << 2;
/// The supervisor answered that request; its task must write nothing any more.
pub(crate) const LATE: u32 = 1 << 3;
/// The body of the last request was not read to its end.
pub(crate) const BODY_OPEN: u32 = 1 << 4;
/// The handler waits for the request's body.
pub(crate) const BODY_WAIT: u32 = 1 << 5;
/// Something was written that is not known to be with the kernel.
pub(crate) const DIRTY: u32 = 1 << 6;
/// The peer has sent a byte, ever.
pub(crate) const SPOKEN: u32 = 1 << 7;
/// The connection left HTTP.
pub(crate) const UPGRADED: u32 = 1 << 8;
/// The end of this response is marked by the end of the connection alone.
pub(crate) const ENDS_BY_CLOSE: u32 = 1 << 9;
/// It speaks HTTP/2.
pub(crate) const HTTP2: u32 = 1 << 10;
/// The HTTP/2 peer sent its preface and its first SETTINGS.
pub(crate) const SETTLED: u32 = 1 << 11;
/// `poll_shutdown` does nothing for now.
pub(crate) const HOLD: u32 = 1 << 12;
/// The response is our own 503: it must be written, not cut.
pub(crate) const ANSWERED: u32 = 1 << 13;
/// Our half is closed, and what the peer still sends is read and dropped.
pub(crate) const LINGER: u32 = 1 << 14;
/// HTTP/2: the next read gives the PING's answer that the peer did not.
pub(crate) const PONG: u32 = 1 << 15;
/// The connection's I/O object is gone, and what was in flight on it has been counted.
pub(crate) const GONE: u32 = 1 << 16;
/// HTTP/1: the request began behind a response that may not be with the kernel whole: hyper does that where the rest of a
/// body came behind its response. An answer past hyper would end up in the middle of that.
pub(crate) const BEHIND: u32 = 1 << 20;
/// HTTP/1: nothing follows the response of this request, as its peer knows.
pub(crate) const LAST: u32 = 1 << 21;
/// A TLS handshake is under way; with `HEAD` if the peer has sent something of it.
pub(crate) const HANDSHAKE: u32 = 1 << 17;

/// Nobody will read the body of the last request any more, so hyper has dealt with what is left of it once it is polled.
pub(crate) const BODY_LEFT: u32 = 1 << 18;
/// This restart does not pass it on: the successor did not take it, or hyper was in the middle of something.
pub(crate) const KEPT: u32 = 1 << 19;

/// Whether all that was asked on an HTTP/1 connection is answered, the kernel has the answers, and nobody may still
/// read a request's body off it: what comes next is the beginning of a request, or was one already.
pub(crate) fn is_at_a_boundary(flags: u32) -> bool {
    const BUSY: u32 = REQUEST | DIRTY | LATE | UPGRADED | HTTP2 | LINGER | GONE | HANDSHAKE;
    flags & BUSY == 0 && !has_body_to_read(flags)
}

/// Whether somebody may still read the body of the last request off an HTTP/1 connection.
pub(crate) fn has_body_to_read(flags: u32) -> bool {
    flags & (BODY_OPEN | BODY_LEFT) == BODY_OPEN
}

/// The state of one connection.
///
/// Invariants:
/// 1. `HEAD_OUT` and `LATE` are never set both for one request: whoever sets its flag first answers.
/// 2. `LATE` is never cleared: such a connection is over.
#[derive(Debug)]
pub(crate) struct State(AtomicU32);

impl State {
    pub(crate) fn new() -> State {
        State(AtomicU32::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.get() & flag != 0
    }

    #[inline]
    pub(crate) fn set(&self, flags: u32) {
        self.0.fetch_or(flags, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn clear(&self, flags: u32) {
        self.0.fetch_and(!flags, Ordering::AcqRel);
    }

    /// A request begins; `flags` are those that it sets. `false`: the supervisor was faster, write nothing.
    #[inline]
    pub(crate) fn begin(&self, flags: u32) -> bool {
        // One word, one writer but for LATE: a compare-and-swap loop that almost never loops.
        const CLEARED: u32 =
            HEAD | HEAD_OUT | BODY_OPEN | BODY_LEFT | BODY_WAIT | ENDS_BY_CLOSE | ANSWERED | LAST;
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            if now & LATE != 0 {
                return false;
            }
            // BEHIND if it was DIRTY.
            let behind = (now & DIRTY) * (BEHIND / DIRTY);
            let next = (now & !CLEARED) | behind | REQUEST | DIRTY | SPOKEN | flags;
            match self.0.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(seen) => now = seen,
            }
        }
    }

    /// The task has a response. `false`: the supervisor was faster, write nothing.
    #[inline]
    pub(crate) fn claim(&self, flags: u32) -> bool {
        let before = self.0.fetch_or(HEAD_OUT | flags, Ordering::AcqRel);
        before & LATE == 0
    }

    /// The supervisor wants to answer in the place of a task that does not react. It may if a request, or a
    /// part of one, waits for its answer, or if `bytes_wait` unread in the socket.
    pub(crate) fn claim_late(&self, bytes_wait: bool) -> bool {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let half = (now & HEAD != 0 || bytes_wait) && now & DIRTY == 0;
            let waits = now & REQUEST != 0 || half;
            const NOT: u32 = HEAD_OUT | LATE | UPGRADED | HTTP2 | LINGER | GONE | BEHIND;
            if !waits || now & NOT != 0 {
                return false;
            }
            match self.0.compare_exchange_weak(now, now | LATE, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(seen) => now = seen,
            }
        }
    }
}

#[cfg(all(test, not(lameduck_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_request_clears_what_the_last_one_left() {
        let state = State::new();
        state.set(HEAD | BODY_OPEN | ENDS_BY_CLOSE | HEAD_OUT | LAST);
        assert!(state.begin(0));
        assert_eq!(state.get(), REQUEST | DIRTY | SPOKEN);
    }

    #[test]
    fn the_supervisor_does_not_answer_behind_a_response_that_is_not_written_off() {
        let state = State::new();
        assert!(state.begin(0));
        assert!(state.begin(0));
        assert_eq!(state.get(), REQUEST | DIRTY | SPOKEN | BEHIND);
        assert!(!state.claim_late(false));
        state.clear(DIRTY | BEHIND);
        assert!(state.claim_late(false));
    }

    #[test]
    fn the_supervisor_answers_only_what_waits_for_an_answer() {
        for (flags, bytes_wait, may) in [
            (0, false, false),
            (0, true, true),
            (HEAD, false, true),
            (REQUEST | DIRTY, false, true),
            (REQUEST | HEAD_OUT, false, false),
            (DIRTY, true, false),
            (DIRTY | HEAD, true, false),
            (UPGRADED | REQUEST, false, false),
            (HTTP2 | REQUEST, false, false),
            (LATE | REQUEST, false, false),
            (GONE | REQUEST, false, false),
        ] {
            let state = State::new();
            state.set(flags);
            assert_eq!(state.claim_late(bytes_wait), may, "{flags:b}");
        }
    }
}

#[cfg(all(test, lameduck_loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn a_request_is_answered_by_exactly_one() {
        loom::model(|| {
            let state = Arc::new(State::new());
            assert!(state.begin(0));
            let supervisor = {
                let state = Arc::clone(&state);
                thread::spawn(move || state.claim_late(false))
            };
            let task = state.claim(0);
            assert!(task != supervisor.join().unwrap());
        });
    }

    #[test]
    fn half_a_head_is_either_answered_late_or_becomes_a_request() {
        loom::model(|| {
            let state = Arc::new(State::new());
            state.set(HEAD);
            let supervisor = {
                let state = Arc::clone(&state);
                thread::spawn(move || state.claim_late(false))
            };
            let answered = state.begin(0) && state.claim(0);
            assert!(answered != supervisor.join().unwrap());
        });
    }
}
