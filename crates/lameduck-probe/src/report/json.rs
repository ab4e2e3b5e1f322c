//! A run as JSON: what was judged, and all that was seen, so that it can be compared and drawn.

use serde::Serialize;

use super::{Score, cases_of};
use crate::run::CaseResult;
use crate::stage::Setup;

/// Goes up when a field changes its meaning or goes away.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    probe: &'static str,
    command: String,
    signal: i32,
    grace_ms: u128,
    rtt_ms: u128,
    passed: usize,
    failed: usize,
    skipped: usize,
    could_not_run: usize,
    cases: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    title: &'a str,
    group: &'a str,
    level: &'a str,
    #[serde(flatten)]
    result: &'a CaseResult,
}

/// The document, on several lines.
///
/// # Errors
/// None that was ever seen: all that is in it can be written.
pub fn json(setup: &Setup, results: &[CaseResult]) -> serde_json::Result<String> {
    let entries = cases_of(results).map(|(case, result)| Entry {
        title: case.title,
        group: case.group(),
        level: case.level.word(),
        result,
    });
    let Score { passed, failed, skipped, could_not_run } = Score::of(results);
    serde_json::to_string_pretty(&Document {
        version: VERSION,
        probe: env!("CARGO_PKG_VERSION"),
        command: setup.command.line(),
        signal: setup.signal.as_raw(),
        grace_ms: setup.grace.as_millis(),
        rtt_ms: setup.rtt.as_millis(),
        passed,
        failed,
        skipped,
        could_not_run,
        cases: entries.collect(),
    })
}
