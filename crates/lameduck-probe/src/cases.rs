//! All cases, a file for each group. An id, once given, is never given to another case.

mod exit;
mod head;
mod http2;
mod idle;
mod in_flight;
mod load;
mod new;
mod pipeline;
mod readiness;
mod signals;
mod stuck;
mod websocket;

use crate::case::Case;

/// All of them, group by group.
#[must_use]
pub fn all() -> Vec<&'static Case> {
    let groups: [&'static [Case]; 12] = [
        exit::CASES,
        in_flight::CASES,
        idle::CASES,
        head::CASES,
        pipeline::CASES,
        load::CASES,
        new::CASES,
        stuck::CASES,
        signals::CASES,
        http2::CASES,
        websocket::CASES,
        readiness::CASES,
    ];
    groups.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::all;
    use crate::case::Case;
    use crate::demand::Demand;

    #[test]
    fn every_id_is_given_once_and_names_its_group() {
        let mut seen = HashSet::new();
        for case in all() {
            assert!(seen.insert(case.id), "{} twice", case.id);
            let (group, name) = case.id.split_once('/').expect("group/name");
            let plain = |text: &str| {
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            };
            assert!(plain(group) && plain(name), "{}", case.id);
        }
        assert!(seen.len() >= 40, "{} cases", seen.len());
    }

    /// While it starts the signal may kill it, and a second Ctrl-C may too.
    #[test]
    fn every_case_judges_how_the_process_says_its_end_where_that_is_defined() {
        let codes = [Demand::CleanCode, Demand::FailureCode, Demand::OwnEnd];
        let without = |case: &&&Case| !case.demands.iter().any(|demand| codes.contains(demand));
        let without: Vec<_> = all().iter().filter(without).map(|case| case.id).collect();
        assert_eq!(without, ["exit/starting", "signals/second-interrupt"]);
    }

    #[test]
    fn every_case_explains_itself_and_demands_something() {
        for case in all() {
            assert!(!case.demands.is_empty(), "{}", case.id);
            for text in [case.title, case.why, case.rule] {
                assert!(text.len() > 10, "{}: {text:?}", case.id);
            }
        }
    }
}
