//! The whole table: for each demand what passes and what does not.

use super::judge;
use crate::demand::Demand;
use crate::outcome::Outcome;
use crate::record::{Ending, Exchange, Exit, Fact, Process, Record, Role, Silence};
use crate::verdict::Verdict;

/// The signal of all records here.
const SIGNAL: u64 = 1_000_000;
const GRACE_MS: u64 = 5_000;
const TERM: i32 = 15;

fn request(role: Role, outcome: Outcome) -> Exchange {
    Exchange {
        connection: 0,
        role,
        request: "GET /".to_owned(),
        connect: 0,
        sent: Some(SIGNAL - 1_000),
        first_byte: None,
        end: SIGNAL + 100_000,
        outcome,
        status: match outcome {
            Outcome::Answered => Some(200),
            Outcome::TurnedAway => Some(503),
            Outcome::Refused | Outcome::Lost | Outcome::Cut | Outcome::Hung | Outcome::Bad => None,
        },
        says_close: false,
        retry_after: false,
        detail: None,
    }
}

fn process(exit: Option<(u64, Option<i32>, Option<i32>)>) -> Process {
    Process {
        started: 0,
        ready: Some(10_000),
        signals: vec![(TERM, SIGNAL)],
        listener_closed: None,
        exit: exit.map(|(after_ms, code, signal)| Exit {
            at: SIGNAL + after_ms * 1000,
            code,
            signal,
        }),
        watched_until: SIGNAL + 8_000_000,
        output: String::new(),
    }
}

/// A server that ended with 0 after that many milliseconds.
fn ended(after_ms: u64) -> Process {
    process(Some((after_ms, Some(0), None)))
}

fn with(exchanges: Vec<Exchange>) -> Record {
    Record { exchanges, processes: vec![ended(200)], ..Record::default() }
}

fn of(demand: Demand, record: &Record) -> Verdict {
    judge(&[demand], record, GRACE_MS).verdict
}

fn lost(lost: usize, of: usize) -> Verdict {
    Verdict::Lost { lost, of }
}

#[test]
fn what_is_in_flight_must_be_answered_whole_and_not_turned_away() {
    let of = |outcome| {
        of(Demand::Answered(Role::InFlight), &with(vec![request(Role::InFlight, outcome)]))
    };
    assert_eq!(of(Outcome::Answered), Verdict::Pass);
    assert_eq!(of(Outcome::TurnedAway), Verdict::Odd);
    assert_eq!(of(Outcome::Refused), Verdict::Odd);
    assert_eq!(of(Outcome::Lost), lost(1, 1));
    assert_eq!(of(Outcome::Cut), Verdict::Cut);
    assert_eq!(of(Outcome::Hung), Verdict::Hung);
    assert_eq!(of(Outcome::Bad), Verdict::Odd);
}

#[test]
fn what_the_client_itself_lacks_is_not_the_servers() {
    let lack = |role| Exchange {
        sent: None,
        detail: Some("too many open files".to_owned()),
        ..request(role, Outcome::Bad)
    };
    for demand in [
        Demand::Answered(Role::Fresh),
        Demand::Accounted(Role::Fresh),
        Demand::TurnedAway(Role::Fresh),
    ] {
        let record = with(vec![lack(Role::Fresh)]);
        assert_eq!(of(demand, &record), Verdict::CouldNotRun, "{demand:?}");
    }
    // What the server did is told all the same.
    let record = with(vec![lack(Role::Fresh), request(Role::Fresh, Outcome::Bad)]);
    assert_eq!(of(Demand::Accounted(Role::Fresh), &record), Verdict::Odd);
    let record = with(vec![lack(Role::Fresh), request(Role::Fresh, Outcome::Lost)]);
    assert_eq!(of(Demand::Accounted(Role::Fresh), &record), lost(1, 2));
    assert_eq!(of(Demand::TurnedAway(Role::Fresh), &record), lost(1, 2));
}

#[test]
fn an_answer_that_is_an_error_of_the_server_is_odd() {
    let failed = Exchange { status: Some(500), ..request(Role::InFlight, Outcome::Answered) };
    assert_eq!(of(Demand::Answered(Role::InFlight), &with(vec![failed])), Verdict::Odd);
}

#[test]
fn what_comes_late_may_be_turned_away_or_refused_but_not_lost() {
    let of = |outcome| of(Demand::Accounted(Role::Late), &with(vec![request(Role::Late, outcome)]));
    for fine in [Outcome::Answered, Outcome::TurnedAway, Outcome::Refused] {
        assert_eq!(of(fine), Verdict::Pass, "{fine:?}");
    }
    assert_eq!(of(Outcome::Lost), lost(1, 1));
    assert_eq!(of(Outcome::Cut), Verdict::Cut);
    assert_eq!(of(Outcome::Hung), Verdict::Hung);
}

#[test]
fn of_a_load_only_what_the_stop_could_touch_is_counted() {
    let before = Exchange { end: SIGNAL - 1, ..request(Role::Load, Outcome::Answered) };
    let record = with(vec![
        before.clone(),
        before,
        request(Role::Load, Outcome::Answered),
        request(Role::Load, Outcome::Lost),
    ]);
    assert_eq!(of(Demand::Accounted(Role::Load), &record), lost(1, 2));
}

/// 1. A client of a load has its answer.
/// 2. Its process does not run for a second. The server closes the connection, as idle as it is by then.
/// 3. The end of the stream is on its way as it sends.
#[test]
fn a_client_that_stood_still_before_it_sent_says_nothing_about_the_server() {
    let second = 1_000_000;
    let answered = Exchange { end: SIGNAL + second, ..request(Role::Load, Outcome::Answered) };
    let after = |sent: u64, connect: u64| Exchange {
        sent: Some(sent),
        end: sent + 20_000,
        connect,
        ..request(Role::Load, Outcome::Lost)
    };
    let of = |exchanges| of(Demand::Accounted(Role::Load), &with(exchanges));
    let kept = |ms: u64| of(vec![answered.clone(), after(SIGNAL + second + ms * 1000, 0)]);
    assert_eq!(kept(12), lost(1, 2));
    assert_eq!(kept(150), lost(1, 2));
    assert_eq!(kept(151), Verdict::Pass);
    assert_eq!(of(vec![after(SIGNAL + 30_000, 0)]), lost(1, 1), "idle since before the signal");
    assert_eq!(of(vec![after(SIGNAL + second, 0)]), Verdict::Pass, "idle since before the signal");
    let fresh = after(SIGNAL + 2 * second, SIGNAL + second);
    assert_eq!(of(vec![fresh]), lost(1, 1), "its handshake may have taken that long");
}

#[test]
fn what_was_pipelined_behind_a_close_was_not_processed_and_is_not_lost() {
    let first = |says_close| Exchange {
        says_close,
        end: SIGNAL + 50_000,
        ..request(Role::InFlight, Outcome::Answered)
    };
    let behind = request(Role::Pipelined, Outcome::Lost);
    let told = with(vec![first(true), behind.clone()]);
    let untold = with(vec![first(false), behind.clone()]);
    let elsewhere = with(vec![Exchange { connection: 7, ..first(true) }, behind]);
    let of = |record| of(Demand::Accounted(Role::Pipelined), record);
    assert_eq!(of(&told), Verdict::Pass);
    assert_eq!(of(&untold), lost(1, 1));
    assert_eq!(
        of(&elsewhere),
        lost(1, 1),
        "a close on another connection says nothing of this one"
    );
}

#[test]
fn what_never_ends_is_to_be_told_so() {
    let of = |outcome| {
        of(Demand::TurnedAway(Role::Endless), &with(vec![request(Role::Endless, outcome)]))
    };
    assert_eq!(of(Outcome::TurnedAway), Verdict::Pass);
    assert_eq!(of(Outcome::Lost), lost(1, 1));
    assert_eq!(of(Outcome::Cut), Verdict::Cut);
    assert_eq!(of(Outcome::Hung), Verdict::Hung);
    assert_eq!(of(Outcome::Answered), Verdict::Odd);
}

#[test]
fn an_interrupted_post_is_not_to_be_invited() {
    let post =
        |retry_after| Exchange { retry_after, ..request(Role::Endless, Outcome::TurnedAway) };
    let of = |post| of(Demand::NotInvited(Role::Endless), &with(vec![post]));
    assert_eq!(of(post(false)), Verdict::Pass);
    assert_eq!(of(post(true)), Verdict::Odd);
    assert_eq!(
        of(request(Role::Endless, Outcome::Lost)),
        Verdict::Pass,
        "no answer invites to nothing"
    );
}

#[test]
fn a_cut_must_not_look_whole() {
    let of = |outcome| {
        of(Demand::VisiblyCut(Role::Endless), &with(vec![request(Role::Endless, outcome)]))
    };
    assert_eq!(of(Outcome::Cut), Verdict::Pass);
    assert_eq!(of(Outcome::TurnedAway), Verdict::Pass);
    assert_eq!(of(Outcome::Answered), Verdict::Odd);
    assert_eq!(of(Outcome::Hung), Verdict::Hung);
}

#[test]
fn the_last_answer_says_close() {
    let answer = |says_close| Exchange { says_close, ..request(Role::InFlight, Outcome::Answered) };
    let of = |answer| of(Demand::SaysClose(Role::InFlight), &with(vec![answer]));
    assert_eq!(of(answer(true)), Verdict::Pass);
    assert_eq!(of(answer(false)), Verdict::Odd);
}

#[test]
fn idle_connections_end_in_order() {
    let of = |ending| {
        let silence = Silence { connection: 0, role: Role::Idle, connect: 0, end: SIGNAL, ending };
        of(Demand::Closed(Role::Idle), &Record { silences: vec![silence], ..with(Vec::new()) })
    };
    assert_eq!(of(Ending::Closed), Verdict::Pass);
    assert_eq!(of(Ending::Reset), Verdict::Odd);
    assert_eq!(of(Ending::Open), Verdict::Hung);
}

#[test]
fn the_process_ends_in_its_grace_and_a_second() {
    let of = |process| {
        of(Demand::ExitInGrace, &Record { processes: vec![process], ..Record::default() })
    };
    assert_eq!(of(ended(6_000)), Verdict::Pass);
    assert_eq!(of(ended(6_250)), Verdict::Late { by_ms: 250 });
    assert_eq!(of(process(None)), Verdict::Hung);
}

#[test]
fn one_process_that_hangs_among_several_is_found() {
    let processes = vec![ended(10), process(None), ended(20)];
    assert_eq!(of(Demand::ExitInGrace, &Record { processes, ..Record::default() }), Verdict::Hung);
}

#[test]
fn the_end_is_timed_from_what_the_demand_names() {
    let mut record = with(vec![request(Role::InFlight, Outcome::Answered)]);
    assert_eq!(of(Demand::ExitWithin(150), &record), Verdict::Late { by_ms: 50 });
    assert_eq!(
        of(Demand::ExitAfterLastResponse(150), &record),
        Verdict::Pass,
        "100 ms after the last response"
    );
    assert_eq!(of(Demand::ExitAfterLastResponse(60), &record), Verdict::Late { by_ms: 40 });
    record.processes[0].signals.push((TERM, SIGNAL + 190_000));
    assert_eq!(of(Demand::ExitAfterLastSignal(10), &record), Verdict::Pass);
    assert_eq!(of(Demand::ExitAfterLastSignal(9), &record), Verdict::Late { by_ms: 1 });
}

#[test]
fn a_response_that_is_read_after_the_process_has_ended_ended_with_it() {
    let read_late =
        Exchange { end: SIGNAL + 201_000, ..request(Role::InFlight, Outcome::Answered) };
    assert_eq!(of(Demand::ExitAfterLastResponse(10), &with(vec![read_late])), Verdict::Pass);
}

#[test]
fn a_clean_code_is_0_or_that_of_the_signal() {
    let of = |code, signal| {
        let processes = vec![process(Some((10, code, signal)))];
        of(Demand::CleanCode, &Record { processes, ..Record::default() })
    };
    assert_eq!(of(Some(0), None), Verdict::Pass);
    assert_eq!(of(Some(143), None), Verdict::Pass);
    assert_eq!(of(Some(130), None), Verdict::Odd, "that of another signal");
    assert_eq!(of(Some(1), None), Verdict::Odd);
    assert_eq!(of(None, Some(TERM)), Verdict::Odd, "not handled");
    assert_eq!(of(None, Some(11)), Verdict::Odd, "crashed");
}

#[test]
fn past_the_grace_every_exit_of_its_own_will_do() {
    let of = |code, signal| {
        let processes = vec![process(Some((5_000, code, signal)))];
        of(Demand::OwnEnd, &Record { processes, ..Record::default() })
    };
    assert_eq!(of(Some(0), None), Verdict::Pass);
    assert_eq!(of(Some(75), None), Verdict::Pass);
    assert_eq!(of(None, Some(TERM)), Verdict::Odd, "not handled");
    assert_eq!(of(None, Some(6)), Verdict::Odd, "crashed");
}

#[test]
fn a_forced_end_does_not_say_success() {
    let of = |code| {
        let processes = vec![process(Some((5_000, Some(code), None)))];
        of(Demand::FailureCode, &Record { processes, ..Record::default() })
    };
    assert_eq!(of(75), Verdict::Pass);
    assert_eq!(of(0), Verdict::Odd);
}

#[test]
fn the_listener_is_closed_in_time_at_the_latest_by_the_end() {
    let of = |closed: Option<u64>, exit_ms| {
        let process =
            Process { listener_closed: closed.map(|ms| SIGNAL + ms * 1000), ..ended(exit_ms) };
        of(Demand::ListenerClosed(500), &Record { processes: vec![process], ..Record::default() })
    };
    assert_eq!(of(Some(20), 1_000), Verdict::Pass);
    assert_eq!(of(None, 400), Verdict::Pass);
    assert_eq!(of(Some(700), 1_000), Verdict::Late { by_ms: 200 });
    assert_eq!(of(None, 900), Verdict::Late { by_ms: 400 });
}

fn http2(last_streams: &[u32]) -> Record {
    let told = last_streams.iter().map(|last| Fact::GoAway {
        connection: 3,
        at: SIGNAL,
        last_stream: *last,
    });
    let end = Fact::Http2Ended { connection: 3, at: SIGNAL, ending: Ending::Closed };
    Record { facts: told.chain([end]).collect(), ..with(Vec::new()) }
}

#[test]
fn http2_is_told_and_better_twice() {
    const ALL: u32 = (1 << 31) - 1;
    for (last_streams, once, twice) in [
        (&[][..], Verdict::Odd, Verdict::Odd),
        (&[19], Verdict::Pass, Verdict::Odd),
        (&[ALL], Verdict::Pass, Verdict::Odd),
        (&[ALL, 19], Verdict::Pass, Verdict::Pass),
        (&[ALL, ALL], Verdict::Pass, Verdict::Odd),
        (&[19, 19], Verdict::Pass, Verdict::Odd),
    ] {
        let record = http2(last_streams);
        assert_eq!(of(Demand::GoAway, &record), once, "{last_streams:?}");
        assert_eq!(of(Demand::GoAwayTwice, &record), twice, "{last_streams:?}");
    }
}

#[test]
fn a_websocket_is_told() {
    let of = |code| {
        let facts = vec![Fact::WebSocketEnded { connection: 0, at: SIGNAL, code }];
        of(Demand::Goodbye, &Record { facts, ..with(Vec::new()) })
    };
    assert_eq!(of(Some(1001)), Verdict::Pass);
    assert_eq!(of(None), Verdict::Odd);
}

/// The readiness URL's answers, in milliseconds from the signal; the listener is closed after 100, and the last response
/// ends then too.
fn readiness(answers: &[(i64, Option<u16>)]) -> Record {
    let at = |ms: i64| SIGNAL.saturating_add_signed(ms * 1000);
    let facts = answers.iter().map(|(ms, status)| Fact::Ready { at: at(*ms), status: *status });
    let mut record = with(vec![request(Role::InFlight, Outcome::Answered)]);
    record.facts = facts.collect();
    record.processes[0].listener_closed = Some(SIGNAL + 100_000);
    record
}

#[test]
fn readiness_turns_before_the_listener_is_closed() {
    let of = |answers: &[_]| of(Demand::UnreadyFirst, &readiness(answers));
    assert_eq!(of(&[(-10, Some(200)), (20, Some(503))]), Verdict::Pass);
    assert_eq!(of(&[(-10, Some(200)), (20, Some(200)), (120, Some(503))]), Verdict::Odd);
    assert_eq!(of(&[(-10, Some(200)), (20, Some(200))]), Verdict::Odd);
    assert_eq!(of(&[(20, Some(503))]), Verdict::CouldNotRun, "it was never ready");
}

#[test]
fn readiness_answers_until_the_last_response_and_does_not_turn_back() {
    let of = |answers: &[_]| of(Demand::UnreadyUntilEnd, &readiness(answers));
    assert_eq!(of(&[(10, Some(503)), (90, Some(503)), (150, None)]), Verdict::Pass);
    assert_eq!(of(&[(10, Some(503)), (99, None)]), Verdict::Pass, "by another thread's clock");
    assert_eq!(of(&[(10, Some(503)), (60, None)]), Verdict::Odd);
    assert_eq!(of(&[(10, Some(503)), (60, Some(200))]), Verdict::Odd);
    assert_eq!(of(&[(10, Some(200))]), Verdict::Odd);
}

#[test]
fn a_demand_that_meets_nothing_is_no_pass() {
    let nothing = Record::default();
    for demand in [
        Demand::Answered(Role::InFlight),
        Demand::Accounted(Role::Load),
        Demand::TurnedAway(Role::Endless),
        Demand::SaysClose(Role::InFlight),
        Demand::NotInvited(Role::Endless),
        Demand::VisiblyCut(Role::Endless),
        Demand::Closed(Role::Idle),
        Demand::ExitInGrace,
        Demand::ExitWithin(1),
        Demand::ExitAfterLastSignal(1),
        Demand::ExitAfterLastResponse(1),
        Demand::CleanCode,
        Demand::OwnEnd,
        Demand::FailureCode,
        Demand::ListenerClosed(1),
        Demand::GoAway,
        Demand::GoAwayTwice,
        Demand::Goodbye,
        Demand::UnreadyFirst,
        Demand::UnreadyUntilEnd,
    ] {
        assert_eq!(of(demand, &nothing), Verdict::CouldNotRun, "{demand:?}");
    }
}

#[test]
fn of_several_findings_the_worst_is_told() {
    let record = Record {
        processes: vec![process(None)],
        ..with(vec![request(Role::InFlight, Outcome::Lost), request(Role::Endless, Outcome::Cut)])
    };
    let demands =
        [Demand::ExitInGrace, Demand::TurnedAway(Role::Endless), Demand::Answered(Role::InFlight)];
    let judgement = judge(&demands, &record, GRACE_MS);
    assert_eq!(judgement.verdict, lost(1, 1));
    assert_eq!(judgement.figure, "1 of 1 lost");
    assert_eq!(
        judgement.why,
        "GET /, sent 1 ms before the signal, got no byte of an answer: its connection ended"
    );
    assert_eq!(judge(&demands[..2], &record, GRACE_MS).verdict, Verdict::Cut);
    assert_eq!(judge(&demands[..1], &record, GRACE_MS).verdict, Verdict::Hung);
}

#[test]
fn a_pass_says_how_long_the_end_took_and_what_was_answered() {
    let record = with(vec![
        request(Role::InFlight, Outcome::Answered),
        request(Role::Fresh, Outcome::Refused),
    ]);
    let judgement = judge(&[Demand::ExitInGrace], &record, GRACE_MS);
    assert_eq!(judgement.figure, "exit after 200 ms");
    assert_eq!(judgement.why, "1 of 2 requests answered, 1 refused");
}
