use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Budget, BudgetError, Deadlines, Span, parse_span};

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
         the exit + 5 s that its preStop hook uses up, but the platform allows 30 s (grace); shorten one, \
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

#[test]
fn the_seconds_that_a_platform_has_to_give_do_not_overflow() {
    let budget = Budget { drain: Duration::MAX, ..Budget::default() };
    assert_eq!(budget.needed_seconds(Duration::MAX), u64::MAX);
}

/// What people write, what they might, and what nobody would.
fn values() -> impl Strategy<Value = OsString> {
    let number = prop_oneof![any::<u64>().prop_map(|n| n.to_string()), "[0-9]{1,30}", "[0-9]{1,3}"];
    let unit =
        prop::sample::select(vec!["", "s", "ms", "m", "h", "us", "ns", "d", " s", ".5s", "y"]);
    prop_oneof![
        (number, unit).prop_map(|(number, unit)| OsString::from(number + unit)),
        "\\PC{0,12}".prop_map(OsString::from),
        "[-+0-9hmsPT. :]{0,16}".prop_map(OsString::from),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(OsString::from_vec),
    ]
}

proptest! {
    #[test]
    fn any_text_is_a_time_that_can_be_shown_or_none(text in "\\PC*", value in values()) {
        for text in [Some(text.as_str()), value.to_str()].into_iter().flatten() {
            if let Some(time) = parse_span(text) {
                prop_assert!(!Span(time).to_string().is_empty());
                let digit = text.trim().starts_with(|c: char| c.is_ascii_digit());
                prop_assert!(digit, "{:?} was read as {:?}", text, time);
            }
        }
    }

    #[test]
    fn whatever_the_environment_holds_it_is_a_budget_with_deadlines_or_an_error_of_one_line(
        values in prop::collection::vec(prop::option::of(values()), 5),
        grace in prop::option::of(any::<Duration>()),
        pre_stop: Duration,
    ) {
        let names = ["LAME_DUCK", "DRAIN", "FINISH", "CLOSE", "IDLE_GRACE"];
        let variable = |name: &str| {
            let at = names.iter().position(|part| name.strip_prefix("LAMEDUCK_") == Some(*part))?;
            values[at].clone()
        };
        let error = match Budget::default().overridden(variable) {
            Err(error) => error,
            Ok(budget) => match budget.check(grace, pre_stop) {
                Err(error) => error,
                Ok(()) => {
                    let deadlines = Deadlines::fix(&budget, Instant::now(), false);
                    prop_assert_eq!(deadlines.close - deadlines.begun, budget.total());
                    return Ok(());
                }
            }
        };
        let text = error.to_string();
        prop_assert!(!text.contains('\n'), "{}", text);
        if let BudgetError::Unreadable { name, .. } = error {
            prop_assert!(text.starts_with(name), "{}", text);
        }
    }
}
