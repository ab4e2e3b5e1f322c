//! A run as one page that needs nothing besides itself: the verdicts first, then what was seen in each case, drawn.
//!
//! Nothing is decided here: what is drawn and where is [`timeline`](super::timeline)'s, and this writes it down. It
//! works without JavaScript, and has none.

mod drawing;

use std::fmt::Write as _;

use super::escape::{clip, escape};
use super::timeline::{Timeline, signal_name, timeline};
use super::{Score, cases_of};
use crate::case::Case;
use crate::run::CaseResult;
use crate::stage::Setup;
use crate::verdict::Verdict;

const STYLE: &str = include_str!("html/style.css");
const SHAPES: &str = include_str!("html/shapes.svg");

/// How many of the faults of a case are told in words.
const TOLD: usize = 5;
/// How much of what a server printed is shown, in characters.
const OUTPUT: usize = 1_500;

/// The page; `date` is when it was made, for a person.
#[must_use]
pub fn html(setup: &Setup, results: &[CaseResult], date: &str) -> String {
    let score = Score::of(results);
    let command = escape(&clip(&setup.command.line(), 1_000));
    let title = escape(&clip(&setup.command.line(), 60));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}: lameduck probe</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{STYLE}</style></head>\n<body>{SHAPES}\n\
         <header><h1>lameduck probe</h1>\n<p class=\"command\"><code>{command}</code></p>\n\
         <p class=\"score {}\">{score}</p>\n\
         <p class=\"small\">{}; {}, grace {} ms, round trip of those far away {} ms; lameduck-probe {}</p></header>\n",
        if score.exit_code() == 0 { "good" } else { "bad" },
        escape(date),
        signal_name(setup.signal.as_raw()),
        setup.grace.as_millis(),
        setup.rtt.as_millis(),
        env!("CARGO_PKG_VERSION"),
    );
    table(&mut page, results);
    legend(&mut page);
    for (case, result) in cases_of(results) {
        if result.judgement.verdict != Verdict::Skipped {
            section(&mut page, case, result);
        }
    }
    page.push_str("</body></html>\n");
    page
}

fn table(page: &mut String, results: &[CaseResult]) {
    page.push_str(
        "<table class=\"verdicts\"><thead><tr><th>verdict<th>level<th>case<th>figure<th>why</thead>\n",
    );
    let mut group = "";
    for (case, result) in cases_of(results) {
        if case.group() != group {
            group = case.group();
            let _ = writeln!(page, "<tbody><tr class=\"group\"><th colspan=\"5\">{group}");
        }
        let judgement = &result.judgement;
        let id = match judgement.verdict {
            Verdict::Skipped => case.id.to_owned(),
            Verdict::Pass
            | Verdict::CouldNotRun
            | Verdict::Odd
            | Verdict::Late { .. }
            | Verdict::Hung
            | Verdict::Cut
            | Verdict::Lost { .. } => format!("<a href=\"#{}\">{}</a>", case.id, case.id),
        };
        let _ = writeln!(
            page,
            "<tr><td>{}<td class=\"small\">{}<td class=\"id\">{id}<td>{}<td>{}",
            badge(judgement.verdict),
            case.level.word(),
            escape(&clip(&judgement.figure, 100)),
            escape(&clip(&judgement.why, 500)),
        );
    }
    page.push_str("</table>\n");
}

/// The verdict's word in its colour, with a sign for who sees no colours.
fn badge(verdict: Verdict) -> String {
    let (class, sign) = match verdict {
        Verdict::Pass => ("good", "✓"),
        Verdict::Skipped => ("mute", "–"),
        Verdict::CouldNotRun => ("mute", "?"),
        Verdict::Odd | Verdict::Late { .. } => ("warn", "!"),
        Verdict::Hung | Verdict::Cut | Verdict::Lost { .. } => ("bad", "✕"),
    };
    format!("<span class=\"badge {class}\">{sign} {}</span>", verdict.word())
}

fn legend(page: &mut String) {
    page.push_str("<p class=\"legend small\">");
    for (shape, words) in drawing::LEGEND {
        let _ = write!(
            page,
            "<span><svg viewBox=\"-8 -8 16 16\" width=\"16\" height=\"16\"><use href=\"#m-{shape}\"/></svg>{words}</span> "
        );
    }
    page.push_str(
        "<span>Times are in ms from the signal on; point at a request for its own.</span></p>\n",
    );
}

fn section(page: &mut String, case: &Case, result: &CaseResult) {
    let judgement = &result.judgement;
    let open = if judgement.verdict == Verdict::Pass { "" } else { " open" };
    let _ = writeln!(
        page,
        "<details{open}><summary>{} <b>{}</b> <span class=\"figure\">{}</span></summary>\n\
         <div id=\"{}\" class=\"case\"><p>{} <span class=\"small\">{}</span></p>",
        badge(judgement.verdict),
        case.id,
        escape(&clip(&judgement.figure, 100)),
        case.id,
        escape(case.title),
        case.level.word(),
    );
    if judgement.verdict != Verdict::Pass {
        let _ = writeln!(
            page,
            "<p class=\"why\">{}</p><p class=\"small\">Why it matters: {} Rule: {}</p>",
            escape(&clip(&judgement.why, 500)),
            escape(case.why),
            escape(case.rule)
        );
    }
    match timeline(&result.record, case.demands) {
        Some(timeline) => {
            drawing::draw(page, case.id, &timeline);
            faults(page, &timeline);
        }
        None => {
            page.push_str("<p class=\"small\">No signal was sent: there is nothing to draw.</p>\n");
        }
    }
    if judgement.verdict != Verdict::Pass {
        output(page, result);
    }
    page.push_str("</div></details>\n");
}

/// What broke a demand, in words.
fn faults(page: &mut String, timeline: &Timeline) {
    let faults = timeline.rows.iter().filter_map(|row| Some((row, row.fault.as_ref()?)));
    let all: Vec<_> = faults.collect();
    if !all.is_empty() {
        page.push_str("<ul class=\"faults\">");
        for (row, fault) in all.iter().take(TOLD) {
            let _ = write!(
                page,
                "<li><b>{} {}</b>: {}",
                escape(&row.label),
                escape(&row.end),
                escape(fault)
            );
        }
        if all.len() > TOLD {
            let _ = write!(page, "<li>and {} more of the rows above", all.len() - TOLD);
        }
        page.push_str("</ul>\n");
    }
    if timeline.left_out > 0 {
        let _ = writeln!(
            page,
            "<p class=\"small\">{} more rows are left out; --json holds them all.</p>",
            timeline.left_out
        );
    }
}

fn output(page: &mut String, result: &CaseResult) {
    for process in &result.record.processes {
        let text = process.output.trim_end();
        if text.is_empty() {
            continue;
        }
        let surplus = text.chars().count().saturating_sub(OUTPUT);
        let end: String = text.chars().skip(surplus).collect();
        let _ = writeln!(
            page,
            "<details class=\"output\"><summary>the end of what the server printed</summary><pre>{}</pre></details>",
            escape(&end)
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::html;
    use crate::record::{Exchange, Process, Record, Role};
    use crate::{
        CaseResult, Judgement, Outcome, Routes, ServerCommand, Setup, Signal, Verdict, all_cases,
    };

    /// Whatever a server does, the page can be opened: all cases at their worst, with long texts that need escapes.
    #[test]
    fn the_page_stays_small_enough_for_a_browser() {
        let long = "<&>".repeat(10_000);
        let exchange = |n: u32| Exchange {
            connection: n % 3_000,
            role: Role::Load,
            request: long.clone(),
            connect: 0,
            sent: Some(n.into()),
            first_byte: None,
            end: u64::from(n) + 1,
            outcome: Outcome::Lost,
            status: None,
            says_close: false,
            retry_after: false,
            detail: Some(long.clone()),
        };
        let process = Process {
            started: 0,
            ready: None,
            signals: vec![(15, 5); 1_000],
            listener_closed: None,
            exit: None,
            watched_until: 9_000_000,
            output: long.clone(),
        };
        let record = Record {
            exchanges: (0..4_000).map(exchange).collect(),
            processes: vec![process],
            ..Record::default()
        };
        let judgement = Judgement {
            verdict: Verdict::Lost { lost: 1, of: 1 },
            figure: long.clone(),
            why: long.clone(),
        };
        let result = |id: &str, record| CaseResult {
            id: id.to_owned(),
            judgement: judgement.clone(),
            took_ms: 1,
            record,
        };
        let load = all_cases().into_iter().find(|case| case.group() == "load").unwrap();
        let setup = Arc::new(Setup {
            command: ServerCommand::new(vec![long.clone()], None).unwrap(),
            routes: Routes::default(),
            signal: Signal::TERM,
            grace: Duration::from_secs(5),
            rtt: Duration::from_millis(40),
            start_limit: Duration::from_secs(1),
        });
        let page = html(&setup, &[result(load.id, record)], "now");
        assert!(page.contains("2976 more rows are left out"), "{}", &page[page.len() - 3_000..]);
        assert!(page.len() < 250_000, "{} bytes for one case", page.len());
    }
}
