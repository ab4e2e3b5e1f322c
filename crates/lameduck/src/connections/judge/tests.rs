use std::time::Duration;

use proptest::prelude::*;

use super::super::state::{
    BODY_WAIT, DIRTY, HANDSHAKE, HEAD, HEAD_OUT, HTTP2, LINGER, PONG, REQUEST, SETTLED, SPOKEN,
    UPGRADED,
};
use super::{Directive, Limits, Mode, Verdict, View, judge};

const DRAIN: Duration = Duration::from_secs(100);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A connection accepted at 90 s whose state began at 95 s; the drain begins at 100 s.
fn view(flags: u32) -> View {
    View {
        begun: 0,
        flags,
        passable: false,
        accepted: ms(90_000),
        since: ms(95_000),
        progress: ms(0),
        data: ms(0),
        goaway: None,
        pong: None,
    }
}

fn limits() -> Limits {
    Limits { request_timeout: Some(Duration::from_secs(30)), ..Limits::default() }
}

fn ask(view: View, mode: Mode, now: u64) -> Verdict {
    judge(&view, mode, DRAIN, &limits(), ms(now))
}

fn wait(until: u64) -> Verdict {
    Verdict { directive: Directive::None, ask_at: Some(ms(until)) }
}

fn act(directive: Directive) -> Verdict {
    Verdict { directive, ask_at: None }
}

#[test]
fn in_ordinary_life_each_state_has_its_limit() {
    for (name, flags, due, directive) in [
        // The last second is for the clock by which it is known since when.
        ("accepted, nothing sent", 0, 95_000 + 76_000, Directive::CloseIdle),
        ("idle keep-alive", SPOKEN, 95_000 + 76_000, Directive::CloseIdle),
        ("part of a head", HEAD | SPOKEN, 95_000 + 10_000, Directive::HeadTimeout),
        ("handler runs", REQUEST | DIRTY, 95_000 + 30_000, Directive::RequestTimeout),
        ("HTTP/2 without SETTINGS", HTTP2, 95_000 + 10_000, Directive::CloseIdle),
        ("HTTP/2, no stream", HTTP2 | SETTLED, 95_000 + 76_000, Directive::Goaway),
    ] {
        for mode in [Mode::Serving, Mode::Goodbye] {
            assert_eq!(ask(view(flags), mode, due - 1), wait(due), "{name}");
            assert_eq!(ask(view(flags), mode, due), act(directive), "{name}");
        }
    }
}

#[test]
fn while_draining_each_state_is_treated_as_the_table_says() {
    for (name, flags, due, directive) in [
        ("accepted, nothing sent", 0, 100_250, Directive::CloseIdle),
        ("idle keep-alive", SPOKEN, 100_250, Directive::CloseIdle),
        ("part of a head: the header timeout", HEAD | SPOKEN, 105_000, Directive::HeadTimeout),
        ("handler runs: its own limit only", REQUEST | DIRTY, 125_000, Directive::RequestTimeout),
        ("HTTP/2 without SETTINGS", HTTP2, 100_250, Directive::CloseIdle),
    ] {
        assert_eq!(ask(view(flags), Mode::Draining, due - 1), wait(due), "{name}");
        assert_eq!(ask(view(flags), Mode::Draining, due), act(directive), "{name}");
    }
    for (name, flags) in
        [("upgraded", UPGRADED | REQUEST | HEAD_OUT), ("lingering close", LINGER | SPOKEN)]
    {
        assert_eq!(ask(view(flags), Mode::Draining, 1_000_000), act(Directive::None), "{name}");
    }
}

#[test]
fn a_handshake_has_one_timeout_from_the_accept_on() {
    for mode in [Mode::Serving, Mode::Goodbye] {
        for (name, flags, directive) in [
            ("nothing of it sent", HANDSHAKE, Directive::CloseIdle),
            ("under way", HANDSHAKE | HEAD, Directive::HeadTimeout),
        ] {
            assert_eq!(ask(view(flags), mode, 99_999), wait(100_000), "{name}");
            assert_eq!(ask(view(flags), mode, 100_000), act(directive), "{name}");
        }
    }
}

#[test]
fn in_a_drain_a_handshake_under_way_is_waited_for_and_a_silent_peer_has_the_idle_grace() {
    let accepted = |at, flags| View { accepted: ms(at), since: ms(at), ..view(flags) };
    let under_way = accepted(98_000, HANDSHAKE | HEAD);
    assert_eq!(ask(under_way, Mode::Draining, 107_999), wait(108_000));
    assert_eq!(ask(under_way, Mode::Draining, 108_000), act(Directive::HeadTimeout));
    for (at, due) in [(98_000, 100_250), (100_100, 100_350), (90_100, 100_100)] {
        let silent = accepted(at, HANDSHAKE);
        assert_eq!(ask(silent, Mode::Draining, due - 1), wait(due), "accepted at {at}");
        assert_eq!(ask(silent, Mode::Draining, due), act(Directive::CloseIdle), "{at}");
    }
}

#[test]
fn behind_a_handshake_the_idle_grace_runs_from_its_end() {
    for flags in [0, HTTP2] {
        let shaken = View { since: ms(103_000), ..view(flags) };
        assert_eq!(ask(shaken, Mode::Draining, 103_249), wait(103_250));
        assert_eq!(ask(shaken, Mode::Draining, 103_250), act(Directive::CloseIdle));
    }
}

#[test]
fn a_body_of_which_nothing_comes_is_told_408_after_the_idle_time_unless_it_is_answered_already() {
    let waits = View { progress: ms(97_000), ..view(REQUEST | DIRTY | BODY_WAIT) };
    for mode in [Mode::Serving, Mode::Goodbye, Mode::Draining] {
        let ask = |view: &View, now| judge(view, mode, DRAIN, &Limits::default(), ms(now));
        assert_eq!(ask(&waits, 171_999), wait(172_000));
        assert_eq!(ask(&waits, 172_000), act(Directive::BodyTimeout));
        let answered = View { flags: REQUEST | HEAD_OUT | BODY_WAIT, ..waits };
        assert_eq!(ask(&answered, 999_999), act(Directive::None));
        let handled = View { flags: REQUEST | DIRTY, ..waits };
        assert_eq!(ask(&handled, 999_999), act(Directive::None));
    }
    // The request's own limit goes before, where it is shorter.
    assert_eq!(ask(waits, Mode::Serving, 125_000), act(Directive::RequestTimeout));
}

#[test]
fn an_http2_peer_that_reads_nothing_is_cut_after_the_idle_time() {
    for busy in [0, REQUEST] {
        let stalled = View { progress: ms(97_000), ..view(HTTP2 | SETTLED | DIRTY | busy) };
        assert_eq!(ask(stalled, Mode::Serving, 172_000), act(Directive::Stalled));
        let told = View { goaway: Some(ms(100_000)), pong: Some(ms(101_000)), ..stalled };
        assert_eq!(ask(told, Mode::Draining, 172_000), act(Directive::Stalled));
    }
}

#[test]
fn after_the_last_goaway_a_slow_http2_reader_has_the_idle_time_from_the_last_data_that_it_took() {
    let left = View {
        data: ms(104_000),
        // What answers its PINGs does not count.
        progress: ms(178_000),
        goaway: Some(ms(100_000)),
        pong: Some(ms(101_000)),
        ..view(HTTP2 | SETTLED)
    };
    for mode in [Mode::Serving, Mode::Draining] {
        assert_eq!(ask(left, mode, 178_999), wait(179_000));
        assert_eq!(ask(left, mode, 179_000), act(Directive::Stalled));
    }
}

#[cfg(feature = "http2")]
#[test]
fn a_stream_is_over_as_a_connection_of_http1_would_be() {
    use std::task::Waker;

    use super::super::request::{Over, Stream};

    let limits = limits();
    let unpolled = || Stream::new(ms(95_000), false);
    let stream = || Stream { waker: Some(Waker::noop().clone()), ..unpolled() };
    let waits = || Stream { body_wait: Some(ms(96_000)), ..stream() };
    let no_limit = Limits::default();
    for (name, stream, limits, due, over) in [
        ("in its handler", stream(), &limits, 125_000, Over::TooLong),
        ("nothing comes of its body", waits(), &no_limit, 171_000, Over::Silent),
        (
            "no room for its response",
            Stream { window_wait: Some(ms(96_000)), head_out: true, ..stream() },
            &no_limit,
            171_000,
            Over::Stalled,
        ),
    ] {
        assert_eq!(stream.judge(limits, ms(due - 1)), None, "{name}");
        assert_eq!(stream.judge(limits, ms(due)), Some(over), "{name}");
    }
    for (name, stream) in [
        ("upgraded", Stream { upgraded: true, ..waits() }),
        ("answered already", Stream { head_out: true, ..waits() }),
        ("a gRPC call", Stream { grpc: true, ..waits() }),
    ] {
        assert_eq!(stream.judge(&no_limit, ms(9_999_999)), None, "{name}");
    }
    assert_eq!(unpolled().judge(&limits, ms(9_999_999)), None, "nothing can end it yet");
    let answered = Stream { over: Some(Over::Silent), window_wait: Some(ms(180_000)), ..waits() };
    assert_eq!(answered.judge(&no_limit, ms(255_000)), Some(Over::Stalled), "nor is that read");
}

#[test]
fn a_peer_that_reads_nothing_is_cut_after_the_idle_time_from_its_last_progress() {
    for flags in [DIRTY | SPOKEN, DIRTY | REQUEST | HEAD_OUT] {
        let no_limit = Limits::default();
        let slow = View { progress: ms(97_000), ..view(flags) };
        for mode in [Mode::Serving, Mode::Draining] {
            let ask = |now| judge(&slow, mode, DRAIN, &no_limit, ms(now));
            assert_eq!(ask(171_999), wait(172_000));
            assert_eq!(ask(172_000), act(Directive::Stalled));
        }
    }
    let before_its_response = View { progress: ms(0), ..view(DIRTY | REQUEST) };
    let verdict =
        judge(&before_its_response, Mode::Serving, DRAIN, &Limits::default(), ms(999_999));
    assert_eq!(verdict, act(Directive::None));
}

#[test]
fn the_idle_grace_runs_from_the_latest_of_drain_accept_and_last_response() {
    let late_accept = View { accepted: ms(100_100), ..view(0) };
    assert_eq!(ask(late_accept, Mode::Draining, 100_300), wait(100_350));
    let late_response = View { since: ms(103_000), ..view(SPOKEN) };
    assert_eq!(ask(late_response, Mode::Draining, 103_100), wait(103_250));
}

#[test]
fn http2_is_told_at_once_then_after_a_second_without_pong_the_last_goaway_goes_out() {
    for busy in [0, REQUEST] {
        let open = view(HTTP2 | SETTLED | SPOKEN | busy);
        assert_eq!(ask(open, Mode::Draining, 100_000), act(Directive::Goaway));
        let told = View { goaway: Some(ms(100_000)), ..open };
        assert_eq!(ask(told, Mode::Draining, 100_999), wait(101_000));
        assert_eq!(ask(told, Mode::Draining, 101_000), act(Directive::AssumePong));
    }
    let ponged = |flags| View {
        goaway: Some(ms(100_000)),
        pong: Some(ms(101_000)),
        ..view(HTTP2 | SETTLED | flags)
    };
    assert_eq!(ask(ponged(REQUEST), Mode::Draining, 109_000), act(Directive::None));
    for in_flight in [DIRTY, REQUEST | DIRTY] {
        let view = View { progress: ms(108_000), ..ponged(in_flight) };
        assert_eq!(ask(view, Mode::Draining, 109_000).directive, Directive::None);
    }
    let unheard = ponged(PONG);
    assert_eq!(ask(unheard, Mode::Draining, 101_249), wait(101_250));
    assert_eq!(ask(unheard, Mode::Draining, 101_250), act(Directive::CloseIdle));
}

#[test]
fn at_the_deadline_every_state_is_cut() {
    for flags in [
        0,
        HEAD,
        REQUEST,
        REQUEST | HEAD_OUT,
        DIRTY,
        UPGRADED,
        HTTP2,
        HTTP2 | SETTLED,
        HANDSHAKE,
        HANDSHAKE | HEAD,
    ] {
        assert_eq!(ask(view(flags), Mode::Cut, 100_000), act(Directive::Cut));
    }
}

#[cfg(feature = "restart")]
mod restart {
    use super::super::super::state::{BODY_LEFT, BODY_OPEN, KEPT};
    use super::*;

    fn passable(flags: u32) -> View {
        View { passable: true, ..view(flags) }
    }

    #[test]
    fn what_is_at_a_boundary_is_passed_on_at_once() {
        for mode in [Mode::Passing, Mode::Paused] {
            for (name, flags) in [
                ("accepted, nothing sent", 0),
                ("idle keep-alive", SPOKEN),
                ("part of a head", HEAD | SPOKEN),
                ("behind a body that was dropped", SPOKEN | BODY_OPEN | BODY_LEFT),
            ] {
                assert_eq!(ask(passable(flags), mode, 101_000), act(Directive::PassOn), "{name}");
            }
            // Its time is over: a successor would only begin to count anew.
            assert_eq!(ask(passable(SPOKEN), mode, 171_000), act(Directive::CloseIdle));
            assert_eq!(ask(passable(HEAD), mode, 105_000), act(Directive::HeadTimeout));
        }
        for mode in [Mode::Serving, Mode::Goodbye, Mode::Draining, Mode::Cut] {
            assert_ne!(ask(passable(SPOKEN), mode, 101_000).directive, Directive::PassOn);
        }
    }

    #[test]
    fn what_is_under_way_is_not_passed_on_and_has_its_ordinary_limits() {
        for mode in [Mode::Passing, Mode::Paused] {
            for (name, flags) in [
                ("handler runs", REQUEST | DIRTY),
                ("response streams", REQUEST | HEAD_OUT),
                ("not yet with the kernel", DIRTY),
                ("lingering close", LINGER),
                ("upgraded", UPGRADED | REQUEST | HEAD_OUT),
            ] {
                let verdict = ask(passable(flags), mode, 101_000);
                assert_eq!(verdict.directive, Directive::None, "{name}");
                assert_eq!(verdict, ask(passable(flags), Mode::Serving, 101_000), "{name}");
            }
        }
    }

    #[test]
    fn an_idle_connection_whose_last_body_may_still_be_read_drains_from_the_pause_on() {
        // A proxy that took the body apart, for instance. Until then it has its ordinary limits.
        let view = passable(SPOKEN | BODY_OPEN);
        for now in [100_000, 100_249, 100_250, 109_000] {
            assert_eq!(ask(view, Mode::Passing, now), ask(view, Mode::Serving, now));
            assert_eq!(ask(view, Mode::Paused, now), ask(view, Mode::Draining, now));
        }
    }

    #[test]
    fn what_cannot_be_passed_on_is_served_until_the_pause_and_drains_then() {
        for (name, view) in [
            ("TLS, or fed", view(SPOKEN)),
            ("a successor did not take it", passable(SPOKEN | KEPT)),
            ("in a handshake", passable(HANDSHAKE)),
            ("HTTP/2 without SETTINGS", passable(HTTP2)),
            ("HTTP/2", passable(HTTP2 | SETTLED)),
            ("HTTP/2 with a stream", passable(HTTP2 | SETTLED | REQUEST)),
        ] {
            let view = View { accepted: ms(99_000), since: ms(99_000), ..view };
            for now in [100_000, 100_249, 100_250, 109_000] {
                let as_in = |mode| ask(view, mode, now);
                assert_eq!(as_in(Mode::Passing), as_in(Mode::Serving), "{name}");
                if !name.contains("handshake") {
                    assert_eq!(as_in(Mode::Paused), as_in(Mode::Draining), "{name}");
                }
            }
        }
    }
}

/// Short times, and those that stand for never.
fn times() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0_u64..200_000).prop_map(ms),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
        1 => any::<Duration>(),
    ]
}

proptest! {
    #[test]
    fn whatever_the_state_and_the_limits_it_is_to_be_asked_later_or_not_at_all(
        flags in 0_u32..1 << 21,
        passable: bool,
        at in prop::collection::vec(0_u64..200_000, 6),
        goaway: Option<bool>,
        limits in (times(), times(), times(), times(), prop::option::of(times())),
        now in 0_u64..300_000,
        mode in (0_u8..6).prop_map(Mode::from_u8),
    ) {
        let (header_timeout, handshake_timeout, idle_timeout, idle_grace, request_timeout) = limits;
        let limits =
            Limits { header_timeout, handshake_timeout, idle_timeout, request_timeout, connections: None, idle_grace };
        let view = View {
            begun: 0,
            flags,
            passable,
            accepted: ms(at[0]),
            since: ms(at[1]),
            progress: ms(at[2]),
            data: ms(at[5]),
            goaway: goaway.map(|_| ms(at[3])),
            pong: goaway.filter(|ponged| *ponged).map(|_| ms(at[3])),
        };
        let verdict = judge(&view, mode, ms(at[4]), &limits, ms(now));
        if let Some(later) = verdict.ask_at {
            prop_assert!(later > ms(now), "{:?}", verdict);
            prop_assert_eq!(verdict.directive, Directive::None);
        }
        prop_assert_eq!(verdict.directive == Directive::Cut, mode == Mode::Cut);
    }
}
