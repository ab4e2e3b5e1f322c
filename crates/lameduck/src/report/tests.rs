use std::time::Duration;

use super::{
    Cause, ConnectionCounts, Panics, PartReport, PartState, PhaseTime, Report, RequestCounts,
    Stuck, StuckKind,
};
use crate::phase::{Outcome, Phase};

fn report(outcome: Outcome) -> Report {
    Report {
        service: "shop".to_owned(),
        version: Some("1.2.3".to_owned()),
        pid: 42,
        outcome,
        exit_code: outcome.code(),
        cause: Cause::Signal { name: "SIGTERM".to_owned() },
        began: "2026-01-01T00:00:00Z".to_owned(),
        took: Duration::from_micros(1_203_400),
        phases: vec![PhaseTime { phase: Phase::Draining, took: Duration::from_millis(200) }],
        requests: RequestCounts { completed: 41, ..RequestCounts::default() },
        connections: ConnectionCounts { closed_idle: 3, ..ConnectionCounts::default() },
        parts: vec![],
        panics: Panics::default(),
        stuck: vec![],
        stuck_unlisted: 0,
        restarts_failed: 0,
    }
}

#[test]
fn a_clean_stop_is_a_few_lines_with_the_verdict_first() {
    assert_eq!(
        report(Outcome::Clean).to_string(),
        "shop stopped clean in 1.2 s: nothing lost (exit 0)\n  cause: SIGTERM\n  requests: 41 completed\n  \
         connections: 3 closed idle\n  phases: draining 200 ms"
    );
}

#[test]
fn a_forced_stop_names_what_was_stuck_and_what_failed() {
    let mut report = report(Outcome::Forced);
    report.stuck = vec![
        Stuck::new(
            StuckKind::Request,
            "GET /hang".to_owned(),
            "127.0.0.1:9".to_owned(),
            Duration::from_secs(5),
            "in the handler".to_owned(),
        ),
        Stuck::new(
            StuckKind::Worker,
            "receipts".to_owned(),
            "src/main.rs:7".to_owned(),
            Duration::from_secs(4),
            "running".to_owned(),
        ),
    ];
    report.stuck_unlisted = 7;
    report.requests.interrupted = 2;
    report.parts = vec![PartReport {
        name: "db".to_owned(),
        tier: "resource",
        place: "src/main.rs:5".to_owned(),
        state: PartState::Failed,
        took: None,
        detail: Some("disk full".to_owned()),
        may_have_lost: false,
    }];
    let text = report.to_string();
    for line in [
        "shop was forced to stop after 1.2 s (exit 75)",
        "  stuck: request GET /hang from 127.0.0.1:9, 5 s, in the handler",
        "  stuck: worker `receipts` (src/main.rs:7), 4 s, running",
        "  stuck: 7 more",
        "  resource `db` failed: disk full",
        "  requests: 41 completed, 2 interrupted, their outcome unknown to the client",
    ] {
        assert!(text.lines().any(|have| have == line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn nothing_is_called_lossless_that_may_not_have_been() {
    let verdict = |requests: RequestCounts, may_have_lost: bool| {
        let mut report = report(Outcome::Clean);
        report.requests = requests;
        report.parts = vec![PartReport {
            name: "public".to_owned(),
            tier: "source",
            place: "src/main.rs:5".to_owned(),
            state: PartState::Done,
            took: None,
            detail: Some("accepted until none was waiting".to_owned()),
            may_have_lost,
        }];
        let text = report.to_string();
        let said = "\n  source `public` closed its listener: accepted until none was waiting\n";
        assert_eq!(text.contains(said), may_have_lost, "{text}");
        report.verdict()
    };
    let none = RequestCounts { completed: 9, gone: 4, ..RequestCounts::default() };
    let clean = "shop stopped clean in 1.2 s";
    assert_eq!(verdict(none, false), format!("{clean}: nothing lost (exit 0)"));
    assert_eq!(
        verdict(none, true),
        format!("{clean}, but a connection may have been lost (exit 0)")
    );
    for counts in [
        RequestCounts { answered_503: 1, ..none },
        RequestCounts { interrupted: 1, ..none },
        RequestCounts { cut: 1, ..none },
    ] {
        let ended = format!("{clean}, but a request was ended by a limit (exit 0)");
        assert_eq!(verdict(counts, false), ended);
    }
    let counts = RequestCounts { answered_503: 2, cut: 1, ..none };
    let ended = format!("{clean}, but 3 requests were ended by a limit (exit 0)");
    assert_eq!(verdict(counts, true), ended);
}

#[test]
fn the_json_is_one_line_with_stable_names() {
    let json = report(Outcome::Signalled(2)).to_json();
    assert_eq!(
        json,
        r#"{"service":"shop","version":"1.2.3","pid":42,"outcome":"signalled","exit_code":130,"cause":{"kind":"signal","name":"SIGTERM"},"began":"2026-01-01T00:00:00Z","took_ms":1203.4,"phases":[{"phase":"draining","took_ms":200.0}],"requests":{"completed":41,"answered_503":0,"interrupted":0,"cut":0,"gone":0},"connections":{"accepted":0,"closed_idle":3,"upgraded":0,"passed_on":0,"cut":0,"closed":0},"parts":[],"restarts_failed":0,"panics":{"count":0,"first":[]},"stuck":[],"stuck_unlisted":0}"#
    );
}
