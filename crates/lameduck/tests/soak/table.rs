//! The result: Markdown for people and documents, JSON for programs.

use std::fmt::Write as _;
use std::time::Duration;

use lameduck_testkit::Growth;
use serde_json::json;

use crate::part::Part;

/// The parts' tables, and what may not be.
pub(crate) fn table(took: Duration, parts: &[Part]) -> String {
    let mut text = format!(
        "{} s\n\n\
         | part | stops | longest ms | requests | answered | refused | lost | reset | cut | hung | turned away | bad |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
        took.as_secs()
    );
    for Part { name, stops, longest_ms, tally, .. } in parts {
        let _ = writeln!(
            text,
            "| {name} | {stops} | {longest_ms:.0} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            tally.requests(),
            tally.answered,
            tally.refused,
            tally.lost,
            tally.reset,
            tally.cut,
            tally.hung,
            tally.turned_away,
            tally.bad,
        );
    }
    text.push_str(
        "\n| part | samples | descriptors early, late, most | threads | MiB resident |\n|---|---|---|---|---|\n",
    );
    for Part { name, growth, .. } in parts {
        let Some(Growth { samples, early, late, most }) = growth else { continue };
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        let _ = writeln!(
            text,
            "| {name} | {samples} | {}, {}, {} | {}, {}, {} | {:.1}, {:.1}, {:.1} |",
            early.descriptors,
            late.descriptors,
            most.descriptors,
            early.threads,
            late.threads,
            most.threads,
            mib(early.resident),
            mib(late.resident),
            mib(most.resident),
        );
    }
    for Part { name, faults, .. } in parts {
        for fault in faults {
            let short: String = fault.chars().take(2000).collect();
            let _ = write!(text, "\n{name}: {short}\n");
        }
    }
    let faults: usize = parts.iter().map(|part| part.faults.len()).sum();
    let _ = match faults {
        0 => write!(text, "\nnothing lost, nothing grew\n"),
        faults => write!(text, "\nFAILED: {faults} faults\n"),
    };
    text
}

pub(crate) fn json(took: Duration, parts: &[Part]) -> String {
    json!({ "seconds": took.as_secs(), "parts": parts }).to_string()
}
