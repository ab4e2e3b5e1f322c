//! A run as JUnit XML, in the form that GitLab, Jenkins and the actions for GitHub read.
//!
//! A case that failed is a `failure`, whether it is a MUST or a SHOULD, as it is for the exit code; one that could not
//! run is an `error`; one that was skipped is `skipped`.

use std::fmt::Write as _;

use super::escape::{clip, escape};
use super::{Score, cases_of};
use crate::case::Case;
use crate::run::CaseResult;
use crate::stage::Setup;
use crate::verdict::{Judgement, Verdict};

/// The document; `timestamp` is when it was made, as ISO 8601 has it.
#[must_use]
pub fn junit(setup: &Setup, results: &[CaseResult], timestamp: &str) -> String {
    let Score { failed, skipped, could_not_run, .. } = Score::of(results);
    let counts = format!(
        "name=\"lameduck probe\" tests=\"{}\" failures=\"{failed}\" errors=\"{could_not_run}\" \
         skipped=\"{skipped}\" time=\"{}\"",
        results.len(),
        seconds(results.iter().map(|result| result.took_ms).sum()),
    );
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n\
         <testsuite {counts} timestamp=\"{}\">\n\
         <properties><property name=\"command\" value=\"{}\"/></properties>\n",
        escape(timestamp),
        escape(&clip(&setup.command.line(), 1_000)),
    );
    for (case, result) in cases_of(results) {
        test_case(&mut text, case, result);
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}

fn test_case(text: &mut String, case: &Case, result: &CaseResult) {
    let Judgement { verdict, figure, why } = &result.judgement;
    let _ = write!(
        text,
        "<testcase classname=\"lameduck.{}\" name=\"{}\" time=\"{}\"",
        case.group(),
        case.id,
        seconds(result.took_ms)
    );
    let element = match verdict {
        Verdict::Pass => {
            text.push_str("/>\n");
            return;
        }
        Verdict::Skipped => {
            let _ = writeln!(text, "><skipped message=\"{}\"/></testcase>", escape(why));
            return;
        }
        Verdict::CouldNotRun => "error",
        Verdict::Odd
        | Verdict::Late { .. }
        | Verdict::Hung
        | Verdict::Cut
        | Verdict::Lost { .. } => "failure",
    };
    let between = if figure.is_empty() { "" } else { ": " };
    let _ = writeln!(
        text,
        "><{element} type=\"{}\" message=\"{}\">{} ({}): {}\n{}\nWhy it matters: {}\nRule: {}</{element}></testcase>",
        verdict.word(),
        escape(&clip(&format!("{figure}{between}{why}"), 1_000)),
        verdict.word(),
        case.level.word(),
        escape(&clip(why, 1_000)),
        escape(case.title),
        escape(case.why),
        escape(case.rule),
    );
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
