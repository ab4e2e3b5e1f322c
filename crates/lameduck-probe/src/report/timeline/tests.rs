//! The geometry, held against records by hand.

use super::{BARS, LineKind, MarkKind, ROWS, Row, Timeline, timeline};
use crate::demand::Demand;
use crate::outcome::Outcome;
use crate::record::{Ending, Exchange, Exit, Fact, Process, Record, Role, Silence};

const SIGNAL: u64 = 500_000;
const DEMANDS: &[Demand] = &[
    Demand::Answered(Role::InFlight),
    Demand::Accounted(Role::Load),
    Demand::TurnedAway(Role::Endless),
    Demand::Closed(Role::Idle),
];

fn exchange(connection: u32, role: Role, outcome: Outcome) -> Exchange {
    let whole = matches!(outcome, Outcome::Answered | Outcome::TurnedAway);
    Exchange {
        connection,
        role,
        request: "GET /sleep".to_owned(),
        connect: SIGNAL - 20_000,
        sent: Some(SIGNAL - 10_000),
        first_byte: whole.then_some(SIGNAL + 90_000),
        end: SIGNAL + 100_000,
        outcome,
        status: whole.then_some(if outcome == Outcome::Answered { 200 } else { 503 }),
        says_close: false,
        retry_after: false,
        detail: None,
    }
}

fn process() -> Process {
    Process {
        started: 0,
        ready: Some(100_000),
        signals: vec![(15, SIGNAL)],
        listener_closed: Some(SIGNAL + 2_000),
        exit: Some(Exit { at: SIGNAL + 110_000, code: Some(0), signal: None }),
        watched_until: SIGNAL + 110_000,
        output: String::new(),
    }
}

fn drawn(exchanges: Vec<Exchange>) -> Timeline {
    of(&Record { exchanges, processes: vec![process()], ..Record::default() })
}

fn of(record: &Record) -> Timeline {
    timeline(record, DEMANDS).expect("a signal")
}

fn labels(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.label.as_str()).collect()
}

#[test]
fn times_are_from_the_signal_on() {
    let drawing = drawn(vec![exchange(0, Role::InFlight, Outcome::Answered)]);
    let row = &drawing.rows[0];
    assert_eq!((row.label.as_str(), row.end.as_str()), ("#0 in flight", "answered 200"));
    assert_eq!(row.fault, None);
    assert_eq!(row.open, (-20_000, 100_000));
    let bar = &row.bars[0];
    assert_eq!((bar.connect, bar.sent), (Some(-20_000), Some(-10_000)));
    assert_eq!((bar.first_byte, bar.end), (Some(90_000), 100_000));
    assert_eq!(
        bar.title,
        "GET /sleep\nconnect -20 ms\nrequest sent -10 ms\nfirst byte +90 ms\nend +100 ms\nanswered 200"
    );
}

#[test]
fn a_row_is_marked_when_its_request_broke_a_demand_and_not_else() {
    for (role, outcome, end, faulty) in [
        (Role::InFlight, Outcome::Answered, "answered 200", false),
        (Role::InFlight, Outcome::Lost, "LOST", true),
        (Role::InFlight, Outcome::Cut, "CUT", true),
        (Role::InFlight, Outcome::Hung, "HUNG", true),
        (Role::InFlight, Outcome::Refused, "REFUSED", true),
        (Role::InFlight, Outcome::TurnedAway, "TURNED AWAY 503", true),
        (Role::Load, Outcome::Lost, "LOST", true),
        (Role::Load, Outcome::Refused, "refused", false),
        (Role::Load, Outcome::TurnedAway, "turned away 503", false),
        (Role::Endless, Outcome::TurnedAway, "turned away 503", false),
        (Role::Endless, Outcome::Cut, "CUT", true),
        // Nothing is demanded of it.
        (Role::Late, Outcome::Lost, "lost", false),
    ] {
        let row = drawn(vec![exchange(0, role, outcome)]).rows.remove(0);
        assert_eq!(row.end, end, "{role:?} {outcome:?}");
        assert_eq!(row.fault.is_some(), faulty, "{role:?} {outcome:?}");
        assert_eq!(row.bars[0].faulty, faulty, "{role:?} {outcome:?}");
    }
}

#[test]
fn a_fault_is_told_in_the_words_of_the_verdict() {
    let row = drawn(vec![exchange(0, Role::InFlight, Outcome::Lost)]).rows.remove(0);
    let why =
        "GET /sleep, sent 10 ms before the signal, got no byte of an answer: its connection ended";
    assert_eq!(row.fault.as_deref(), Some(why));
    assert!(row.bars[0].title.ends_with(why), "{}", row.bars[0].title);
}

#[test]
fn a_loss_behind_an_answer_that_said_close_is_no_fault() {
    let mut first = exchange(0, Role::InFlight, Outcome::Answered);
    first.says_close = true;
    let mut second = exchange(0, Role::InFlight, Outcome::Lost);
    second.end += 1;
    let rows = drawn(vec![first, second]).rows;
    assert!(rows.iter().all(|row| row.fault.is_none()), "{rows:?}");
}

#[test]
fn faults_come_first_and_what_is_left_out_is_counted() {
    let mut all: Vec<_> = (0..1_000).map(|n| exchange(n, Role::Load, Outcome::Answered)).collect();
    all[700].outcome = Outcome::Lost;
    all[990].outcome = Outcome::Lost;
    let drawing = drawn(all);
    assert_eq!(drawing.rows.len(), ROWS);
    assert_eq!(drawing.left_out, 1_000 - ROWS);
    assert_eq!(labels(&drawing.rows[..3]), ["#700 load", "#990 load", "#45 load"]);
    assert!(labels(&drawing.rows).last().is_some_and(|label| label.starts_with("#99")));
    assert_eq!(drawing.rows.iter().filter(|row| row.fault.is_some()).count(), 2);
}

#[test]
fn more_faults_than_there_is_room_for_are_counted_too() {
    let all = (0..2_000).map(|n| exchange(n, Role::InFlight, Outcome::Lost)).collect();
    let drawing = drawn(all);
    assert_eq!((drawing.rows.len(), drawing.left_out), (ROWS, 2_000 - ROWS));
}

#[test]
fn requests_one_after_the_other_share_a_row_and_those_at_the_same_time_do_not() {
    let mut second = exchange(7, Role::InFlight, Outcome::Answered);
    second.sent = Some(SIGNAL + 100_000);
    second.end = SIGNAL + 105_000;
    let after = drawn(vec![exchange(7, Role::InFlight, Outcome::Answered), second.clone()]);
    assert_eq!(after.rows.len(), 1);
    assert_eq!(after.rows[0].bars.len(), 2);
    assert_eq!(after.rows[0].bars[1].connect, None, "it was connected before");
    second.sent = Some(SIGNAL);
    let beside = drawn(vec![exchange(7, Role::InFlight, Outcome::Answered), second]);
    assert_eq!(labels(&beside.rows), ["#7 in flight", "#7 in flight"]);
}

#[test]
fn of_many_requests_on_a_row_the_last_and_the_faults_are_drawn() {
    let many = |n: u64| {
        let mut one = exchange(0, Role::Load, Outcome::Answered);
        (one.sent, one.first_byte, one.end) =
            (Some(SIGNAL + n * 100), Some(SIGNAL + n * 100 + 50), SIGNAL + n * 100 + 90);
        one
    };
    let mut all: Vec<_> = (0..500).map(many).collect();
    all[3].outcome = Outcome::Cut;
    let row = drawn(all).rows.remove(0);
    assert_eq!((row.bars.len(), row.earlier), (BARS, 500 - BARS));
    assert!(row.bars[0].faulty);
    assert_eq!(row.bars[1..].iter().map(|bar| bar.end).max(), Some(49_990));
    assert_eq!(row.end, "CUT 200");
}

#[test]
fn a_silent_connection_shows_its_end() {
    for (ending, kind, word, faulty) in [
        (Ending::Closed, MarkKind::Closed, "closed", false),
        (Ending::Reset, MarkKind::Broken, "reset", true),
        (Ending::Open, MarkKind::Open, "still open", true),
    ] {
        let end = SIGNAL + 5_000;
        let silence = Silence { connection: 4, role: Role::Idle, connect: 400_000, end, ending };
        let processes = vec![process()];
        let row = of(&Record { silences: vec![silence], processes, ..Record::default() }).rows;
        assert_eq!(labels(&row), ["#4 idle"]);
        assert_eq!((row[0].open, row[0].end.as_str()), ((-100_000, 5_000), word));
        assert_eq!(row[0].fault.is_some(), faulty, "{word}");
        assert_eq!((row[0].marks[0].at, row[0].marks[0].kind), (5_000, kind));
    }
}

#[test]
fn what_the_server_told_stands_on_its_connection() {
    let facts = vec![
        Fact::GoAway { connection: 2, at: SIGNAL + 1_000, last_stream: 5 },
        Fact::Http2Ended { connection: 2, at: SIGNAL + 9_000, ending: Ending::Closed },
        Fact::WebSocketEnded { connection: 3, at: SIGNAL + 1_500, code: Some(1001) },
        Fact::WebSocketEnded { connection: 4, at: SIGNAL + 1_500, code: None },
    ];
    let rows = of(&Record { facts, processes: vec![process()], ..Record::default() }).rows;
    let marks: Vec<_> =
        rows.iter().flat_map(|row| &row.marks).map(|m| (m.kind, m.title.as_str())).collect();
    let wanted = [
        (MarkKind::Told, "GOAWAY, last stream 5 +1.0 ms"),
        (MarkKind::Closed, "closed +9.0 ms"),
        (MarkKind::Told, "Close 1001 +1.5 ms"),
        (MarkKind::Broken, "ended without Close +1.5 ms"),
    ];
    assert_eq!(marks, wanted);
    assert_eq!(rows[0].open, (1_000, 9_000));
}

#[test]
fn readiness_is_a_row_of_its_changes() {
    let ready = |at: u64, status| Fact::Ready { at: SIGNAL - 50_000 + at * 10_000, status };
    let facts = (0..40).map(|n| match n {
        0..5 => ready(n, Some(200)),
        5..30 => ready(n, Some(503)),
        _ => ready(n, None),
    });
    let record = Record { facts: facts.collect(), processes: vec![process()], ..Record::default() };
    let rows = of(&record).rows;
    assert_eq!(labels(&rows), ["readiness"]);
    let marks: Vec<_> = rows[0].marks.iter().map(|mark| mark.title.as_str()).collect();
    assert_eq!(marks, ["ready (200) -50 ms", "not ready (503) +0.0 ms", "no answer +250 ms"]);
}

#[test]
fn signal_listener_and_exit_run_across_with_labels_that_cover_no_other() {
    let drawing = drawn(vec![exchange(0, Role::InFlight, Outcome::Answered)]);
    let lines: Vec<_> = drawing.lines.iter().map(|l| (l.at, l.kind, l.label.as_str())).collect();
    let wanted = [
        (0, LineKind::Signal, "SIGTERM"),
        (2_000, LineKind::Listener, "listener closed +2.0 ms"),
        (110_000, LineKind::Exit, "exit 0 +110 ms"),
    ];
    assert_eq!(lines, wanted);
    assert_ne!(drawing.lines[0].level, drawing.lines[1].level);
    assert!(drawing.lines[2].leftwards, "there is no room to the right of the last moment");
}

#[test]
fn a_process_that_was_killed_is_said_to_be_and_a_storm_is_summed_up() {
    let mut process = process();
    process.exit = None;
    process.watched_until = SIGNAL + 8_000_000;
    process.signals = (0..50).map(|n| (2, SIGNAL + n * 5_000)).collect();
    let lines = of(&Record { processes: vec![process], ..Record::default() }).lines;
    let labels: Vec<_> = lines.iter().map(|line| line.label.as_str()).collect();
    let wanted = [
        "SIGINT",
        "listener closed +2.0 ms",
        "SIGINT",
        "SIGINT and 47 more signals",
        "no exit: killed by the probe +8.00 s",
    ];
    assert_eq!(labels, wanted);
}

#[test]
fn a_long_preparation_does_not_squeeze_the_stop() {
    let mut idle = exchange(0, Role::Setup, Outcome::Answered);
    let mut process = process();
    process.signals[0].1 += 60_000_000;
    process.exit = Some(Exit { at: SIGNAL + 60_050_000, code: Some(0), signal: None });
    idle.end = SIGNAL;
    let record = Record { exchanges: vec![idle], processes: vec![process], ..Record::default() };
    let axis = of(&record).axis;
    assert_eq!(axis.from, -250_000);
    assert_eq!(axis.place(-60_000_000), 0.0, "what was before lies at the edge");
    assert_eq!(axis.place(axis.to), 1000.0);
}

#[test]
fn ticks_are_round_few_and_hold_the_signal() {
    for after in [1_200, 47_000, 333_000, 6_000_000, 3_600_000_000] {
        let mut process = process();
        process.exit = Some(Exit { at: SIGNAL + after, code: Some(0), signal: None });
        let axis = of(&Record { processes: vec![process], ..Record::default() }).axis;
        assert!((2..=12).contains(&axis.ticks.len()), "{after}: {:?}", axis.ticks);
        assert!(axis.ticks.contains(&0), "{after}: {:?}", axis.ticks);
        assert!(axis.ticks.iter().all(|tick| (axis.from..=axis.to).contains(&(tick * 1_000))));
    }
}

#[test]
fn nothing_is_drawn_of_a_case_that_never_came_to_its_signal() {
    assert_eq!(timeline(&Record::default(), DEMANDS), None);
}
