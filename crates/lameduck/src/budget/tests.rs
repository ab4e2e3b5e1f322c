use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use super::{Budget, BudgetError, Span, parse_span};

fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
    let map: HashMap<String, OsString> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    move |name| map.get(name).cloned()
}

#[test]
fn the_default_fits_the_thirty_seconds_of_kubernetes() {
    let budget = Budget::default();
    assert_eq!(budget.total(), Duration::from_secs(29));
    assert_eq!(budget.needed_seconds(Duration::ZERO), 30);
    assert_eq!(budget.check(Some(Duration::from_secs(30)), Duration::ZERO), Ok(()));
}

#[test]
fn every_part_can_be_overridden() {
    let budget = Budget::default()
        .overridden(environment(&[
            ("LAMEDUCK_LAME_DUCK", "0"),
            ("LAMEDUCK_DRAIN", "1m30s"),
            ("LAMEDUCK_FINISH", "500ms"),
            ("LAMEDUCK_CLOSE", "2s"),
            ("LAMEDUCK_IDLE_GRACE", "10ms"),
        ]))
        .unwrap();
    let expected = Budget {
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(90),
        finish: Duration::from_millis(500),
        close: Duration::from_secs(2),
        idle_grace: Duration::from_millis(10),
    };
    assert_eq!(budget, expected);
}

#[test]
fn an_unreadable_variable_is_named_with_an_example() {
    for value in [" ", "5", "five", "-5s", "5 parsecs", "5s5", "١s"] {
        let error =
            Budget::default().overridden(environment(&[("LAMEDUCK_DRAIN", value)])).unwrap_err();
        assert_eq!(
            error,
            BudgetError::Unreadable { name: "LAMEDUCK_DRAIN", value: value.to_owned() }
        );
        let text = error.to_string();
        assert!(text.contains("LAMEDUCK_DRAIN=5s") && !text.contains('\n'), "{text}");
    }
}

#[test]
fn a_budget_over_the_grace_shows_the_sum() {
    let error =
        Budget::default().check(Some(Duration::from_secs(30)), Duration::from_secs(5)).unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "the budget does not fit: lame duck 5 s + drain 17 s + finish 4 s + close 3 s = 29 s, + 200 ms for \
         the exit + 5 s that its preStop hook uses up, but the platform allows 30 s (grace); shorten a part, \
         or have the platform allow 35 s"
    );
}

#[test]
fn an_idle_grace_beyond_the_drain_is_refused() {
    let budget = Budget { idle_grace: Duration::from_secs(18), ..Budget::default() };
    assert_eq!(budget.check(None, Duration::ZERO), Err(BudgetError::IdleGrace { budget }));
}

#[test]
fn times_are_read_as_people_write_them() {
    for (text, millis) in [
        ("5s", 5_000),
        ("250ms", 250),
        ("1m30s", 90_000),
        ("1m 30s", 90_000),
        ("0", 0),
        (" 2s ", 2_000),
        ("1.5s", 1_500),
    ] {
        assert_eq!(parse_span(text), Some(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn times_are_written_for_people() {
    for (micros, text) in [
        (0, "0 s"),
        (12, "12 µs"),
        (1_240, "1.2 ms"),
        (250_000, "250 ms"),
        (1_500_000, "1.5 s"),
        (29_000_000, "29 s"),
        (125_000_000, "2 min 5 s"),
        (7_500_000_000, "2 h 5 min"),
    ] {
        assert_eq!(Span(Duration::from_micros(micros)).to_string(), text);
    }
}
