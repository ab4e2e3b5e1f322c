//! What should become of a connection now: a pure function of its state, its server's mode and the time.
//! Every row of the table of connection states (docs/connections.md) has its row in the tests.

use std::time::Duration;

use super::state;
use super::{Limits, Mode};
use crate::part::TICK;
use crate::phase::SEVER;

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1, or nothing yet.
    Http1,
    /// HTTP/2.
    Http2,
    /// Something that an upgrade led to.
    Upgraded,
}

/// What a connection's task is to do. A higher one replaces a lower one that has not been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Directive {
    /// Nothing.
    None = 0,
    /// HTTP/2: send GOAWAY.
    Goaway = 1,
    /// HTTP/2: the peer did not answer the PING behind the GOAWAY; go on as if it had.
    AssumePong = 2,
    /// Pass it on to the successor, if no request is under way on it.
    PassOn = 3,
    /// Close, if it is still silent.
    CloseIdle = 4,
    /// Answer half a head 408 and close; give up a handshake.
    HeadTimeout = 5,
    /// The client is gone: give up what it asked for.
    Gone = 6,
    /// The peer takes nothing of what is sent to it: cut.
    Stalled = 7,
    /// The peer sends nothing of the body that the handler waits for: cancel the handler and answer 408.
    BodyTimeout = 8,
    /// The request took too long: cancel the handler and answer 503, or cut.
    RequestTimeout = 9,
    /// The drain deadline: as before, for whatever the connection does.
    Cut = 10,
}

impl Directive {
    pub(crate) fn from_u8(number: u8) -> Directive {
        match number {
            0 => Directive::None,
            1 => Directive::Goaway,
            2 => Directive::AssumePong,
            3 => Directive::PassOn,
            4 => Directive::CloseIdle,
            5 => Directive::HeadTimeout,
            6 => Directive::Gone,
            7 => Directive::Stalled,
            8 => Directive::BodyTimeout,
            9 => Directive::RequestTimeout,
            _ => Directive::Cut,
        }
    }
}

/// How long the last GOAWAY waits for the PING's answer.
const PONG: Duration = Duration::from_secs(1);

/// A connection as the decision sees it. Times are since the server's epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// How many requests had begun.
    pub(crate) begun: u32,
    /// The flags of [`state`].
    pub(crate) flags: u32,
    /// Whether it is a socket that a successor can take, and there is one who does.
    pub(crate) passable: bool,
    /// When it was accepted.
    pub(crate) accepted: Duration,
    /// When its present state began: the head's first byte, the request, the end of the last response. The last
    /// of these is as of the tick before it, unless a drain had begun: up to [`TICK`] too early.
    pub(crate) since: Duration,
    /// When the peer last took bytes from us, or the handler began to wait for more of its body.
    pub(crate) progress: Duration,
    /// HTTP/2: when the peer last took a part of a response's body.
    pub(crate) data: Duration,
    /// When GOAWAY was sent.
    pub(crate) goaway: Option<Duration>,
    /// When the PING's answer was assumed.
    pub(crate) pong: Option<Duration>,
}

/// What is to be done, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) directive: Directive,
    /// `None`: not before the connection itself moves on.
    pub(crate) ask_at: Option<Duration>,
}

impl Verdict {
    fn now(directive: Directive) -> Verdict {
        Verdict { directive, ask_at: None }
    }

    /// `directive` once the time has come, nothing before.
    fn at(due: Duration, now: Duration, directive: Directive) -> Verdict {
        if due <= now {
            Verdict::now(directive)
        } else {
            Verdict { directive: Directive::None, ask_at: Some(due) }
        }
    }

    fn nothing() -> Verdict {
        Verdict::now(Directive::None)
    }
}

impl View {
    pub(crate) fn protocol(&self) -> Protocol {
        if self.flags & state::UPGRADED != 0 {
            Protocol::Upgraded
        } else if self.flags & state::HTTP2 != 0 {
            Protocol::Http2
        } else {
            Protocol::Http1
        }
    }

    /// Whether all that was asked on this HTTP/1 connection is answered, and the kernel has the answers: what comes next
    /// is the beginning of a request, or was one already.
    pub(crate) fn is_at_a_boundary(&self) -> bool {
        state::is_at_a_boundary(self.flags)
    }
}

/// What should become of a connection now. `draining_since` is when its server's drain began. A limit may be
/// `Duration::MAX`, for never.
pub(crate) fn judge(
    view: &View,
    mode: Mode,
    draining_since: Duration,
    limits: &Limits,
    now: Duration,
) -> Verdict {
    if mode == Mode::Cut {
        return Verdict::now(Directive::Cut);
    }
    if view.flags & state::LINGER != 0 {
        // It has its own clock, of a second at most.
        return Verdict::nothing();
    }
    let passes = mode.passes() && view.passable && view.flags & state::KEPT == 0;
    let draining = mode == Mode::Draining || (mode.is_paused() && !passes);
    if view.flags & state::HANDSHAKE != 0 {
        return handshake(view, draining, draining_since, limits, now);
    }
    match view.protocol() {
        Protocol::Upgraded => Verdict::nothing(),
        Protocol::Http1 if passes && view.is_at_a_boundary() => {
            // What is due is due: a successor would only begin to count anew.
            let verdict = http1(view, false, draining_since, limits, now);
            match verdict.ask_at {
                Some(_) => Verdict::now(Directive::PassOn),
                None if verdict == Verdict::nothing() => Verdict::now(Directive::PassOn),
                None => verdict,
            }
        }
        // Idle and not at a boundary: somebody may still read the last body. It cannot be passed on, so it drains.
        Protocol::Http1 => http1(view, draining || mode.is_paused(), draining_since, limits, now),
        // It is not passed on, whatever it was when it was accepted.
        Protocol::Http2 if mode.is_paused() => http2(view, true, draining_since, limits, now),
        Protocol::Http2 => http2(view, draining, draining_since, limits, now),
    }
}

/// A TLS handshake has one timeout, from the accept on, whether its peer is slow or silent.
fn handshake(
    view: &View,
    draining: bool,
    draining_since: Duration,
    limits: &Limits,
    now: Duration,
) -> Verdict {
    let limit = view.accepted.saturating_add(limits.handshake_timeout);
    if view.flags & state::HEAD != 0 {
        return Verdict::at(limit, now, Directive::HeadTimeout);
    }
    let due = if draining {
        limit.min(draining_since.max(view.accepted).saturating_add(limits.idle_grace))
    } else {
        limit
    };
    Verdict::at(due, now, Directive::CloseIdle)
}

fn http1(
    view: &View,
    draining: bool,
    draining_since: Duration,
    limits: &Limits,
    now: Duration,
) -> Verdict {
    if view.flags & (state::REQUEST | state::DIRTY) != 0 {
        let asks = view.flags & (state::REQUEST | state::ANSWERED) == state::REQUEST;
        let limit = limits.request_timeout.filter(|_| asks);
        let due = limit.map(|limit| view.since.saturating_add(limit));
        // A response that is on its way, to a peer that takes none of it.
        let writes = view.flags & state::DIRTY != 0
            && (view.flags & state::HEAD_OUT != 0 || view.flags & state::REQUEST == 0);
        // A body of which nothing comes, and no answer to it yet.
        let waits = view.flags & (state::REQUEST | state::BODY_WAIT | state::HEAD_OUT)
            == state::REQUEST | state::BODY_WAIT;
        let silent = view.progress.max(view.since).saturating_add(limits.idle_timeout);
        return [
            (due, Directive::RequestTimeout),
            (waits.then_some(silent), Directive::BodyTimeout),
            (writes.then_some(silent), Directive::Stalled),
        ]
        .into_iter()
        .filter_map(|(due, directive)| Some((due?, directive)))
        .min_by_key(|(due, _)| *due)
        .map_or(Verdict::nothing(), |(due, directive)| Verdict::at(due, now, directive));
    }
    if view.flags & state::HEAD != 0 {
        return Verdict::at(
            view.since.saturating_add(limits.header_timeout),
            now,
            Directive::HeadTimeout,
        );
    }
    let due = if draining {
        draining_since.max(view.since).max(view.accepted).saturating_add(limits.idle_grace)
    } else {
        view.since.max(view.accepted).saturating_add(limits.idle_timeout).saturating_add(TICK)
    };
    Verdict::at(due, now, Directive::CloseIdle)
}

fn http2(
    view: &View,
    draining: bool,
    draining_since: Duration,
    limits: &Limits,
    now: Duration,
) -> Verdict {
    if view.flags & state::SETTLED == 0 {
        let due = if draining {
            draining_since.max(view.accepted).max(view.since).saturating_add(limits.idle_grace)
        } else {
            view.accepted.max(view.since).saturating_add(limits.header_timeout)
        };
        return Verdict::at(due, now, Directive::CloseIdle);
    }
    let busy = view.flags & state::REQUEST != 0;
    let dirty = view.flags & state::DIRTY != 0;
    // Frames that the kernel does not take, since the peer reads nothing.
    let stalled = view.progress.saturating_add(limits.idle_timeout);
    if dirty && stalled <= now {
        return Verdict::now(Directive::Stalled);
    }
    let Some(goaway) = view.goaway else {
        if draining {
            return Verdict::now(Directive::Goaway);
        }
        if busy {
            // Its streams are asked one by one.
            return Verdict::nothing();
        }
        let due = view.since.max(view.accepted).saturating_add(limits.idle_timeout);
        return Verdict::at(due.saturating_add(TICK), now, Directive::Goaway);
    };
    let Some(pong) = view.pong else {
        return Verdict::at(goaway + PONG, now, Directive::AssumePong);
    };
    if busy {
        return Verdict::nothing();
    }
    if dirty {
        return Verdict::at(stalled, now, Directive::Stalled);
    }
    if view.flags & state::PONG != 0 {
        // The peer stopped in the middle of a frame, so that h2 never got the PING's answer.
        return Verdict::at(pong.max(view.since) + SEVER, now, Directive::CloseIdle);
    }
    // h2 closes by itself once no stream is open. Until then it holds what is left of a response, for a slow
    // reader that has closed its window.
    let due = view.data.max(view.since).max(goaway).saturating_add(limits.idle_timeout);
    Verdict::at(due, now, Directive::Stalled)
}

#[cfg(test)]
mod tests;
