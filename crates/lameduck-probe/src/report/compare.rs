//! Several servers held against the cases, from the JSON of their runs.

mod choice;
mod markup;
mod run;
mod server;
#[cfg(test)]
mod tests;

pub use choice::Choice;
pub use run::{CompareError, Run};

use std::fmt::Write as _;

use self::markup::{code, columns, markdown, plain, shown};
use self::run::Document;
use self::server::Server;
use super::timeline::signal_name;

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For a terminal.
    Text,
    /// For a document.
    Markdown,
}

/// The table: cases down, servers across; under it who they are, and what makes them hard to compare.
#[must_use]
pub fn compare(runs: &[Run], choice: &Choice, layout: Layout) -> String {
    let servers = choice.servers(runs);
    let ids: Vec<_> = ids(runs).into_iter().filter(|id| choice.shows(id)).collect();
    let names = servers.iter().map(|server| server.name.clone());
    let mut rows = vec![["case".to_owned()].into_iter().chain(names).collect::<Vec<_>>()];
    for id in &ids {
        let cells = servers.iter().map(|server| server.cell(id));
        rows.push([(*id).to_owned()].into_iter().chain(cells).collect());
    }
    let scores = servers.iter().map(|server| server.score(&ids));
    rows.push(["passed of what ran".to_owned()].into_iter().chain(scores).collect());
    let mut text = match layout {
        Layout::Text => columns(&rows),
        Layout::Markdown => markdown(&rows),
    };
    text.push('\n');
    let bullet = match layout {
        Layout::Text => "",
        Layout::Markdown => "- ",
    };
    for server in &servers {
        let mut commands: Vec<_> = server.runs.iter().map(|run| &run.document.command).collect();
        commands.dedup();
        for command in commands {
            let command = match layout {
                Layout::Text => plain(command),
                Layout::Markdown => code(command),
            };
            let _ = writeln!(text, "{bullet}{}: {command}", shown(&server.name, layout));
        }
    }
    if let Some(agreement) = agreement(&servers, &ids) {
        let _ = writeln!(text, "{bullet}{}", shown(&agreement, layout));
    }
    for difference in differences(&servers, &ids) {
        let _ = writeln!(text, "{bullet}Not the same: {}", shown(&difference, layout));
    }
    text
}

/// How far the runs of each server agree; nothing if each was run once.
fn agreement(servers: &[Server<'_>], ids: &[&str]) -> Option<String> {
    let counts: Vec<_> = servers.iter().map(|server| server.runs.len()).collect();
    let most = counts.iter().max().copied().filter(|most| *most > 1)?;
    let few = counts.iter().min().copied().unwrap_or(most);
    let runs = if few == most { format!("{most}") } else { format!("{few} to {most}") };
    let cells = || servers.iter().flat_map(|server| ids.iter().map(|id| server.agreed(id)));
    let all = cells().filter(|(_, of)| *of > 0).count();
    let same = cells().filter(|(agreed, of)| *of > 0 && agreed == of).count();
    Some(format!(
        "Each verdict is the worst of {runs} runs; {same} of {all} were the same in every run, \
         of the others it is said how often they came"
    ))
}

/// All cases that any of them has, in the order of the first that has them.
fn ids(runs: &[Run]) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for entry in runs.iter().flat_map(|run| &run.document.cases) {
        if !ids.contains(&entry.id.as_str()) {
            // Beside its group, where there is one.
            let group = |id: &str| id.split('/').next().map(str::to_owned);
            let place = ids.iter().rposition(|id| group(id) == group(&entry.id));
            ids.insert(place.map_or(ids.len(), |place| place + 1), &entry.id);
        }
    }
    ids
}

fn differences(servers: &[Server<'_>], ids: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let runs =
        || servers.iter().flat_map(|server| server.runs.iter().map(move |run| (server, run)));
    let options = runs().map(|(server, run)| {
        let Document { probe, signal, grace_ms, rtt_ms, .. } = &run.document;
        let probe = if probe.is_empty() { "unknown" } else { probe };
        let values = [
            ("version of the probe", probe.to_owned()),
            ("signal", signal_name(*signal)),
            ("grace", format!("{grace_ms} ms")),
            ("round trip", format!("{rtt_ms} ms")),
        ];
        (&server.name, values)
    });
    let options: Vec<_> = options.collect();
    for place in 0..options.first().map_or(0, |(_, of)| of.len()) {
        let values = || options.iter().map(|(name, of)| (name, &of[place].1));
        if values().any(|(_, value)| *value != options[0].1[place].1) {
            let mut each: Vec<_> =
                values().map(|(name, value)| format!("{name} {value}")).collect();
            each.dedup();
            found.push(format!("{} ({})", options[0].1[place].0, each.join(", ")));
        }
    }
    for server in servers {
        let lacks = |id: &&&str| server.runs.iter().any(|run| run.verdict(id).is_none());
        let lacking: Vec<_> = ids.iter().filter(lacks).copied().collect();
        if let Some(first) = lacking.first() {
            let (count, name) = (lacking.len(), &server.name);
            found.push(format!(
                "cases ({name} was run without {count} of them, {first} for one: `-`)"
            ));
        }
    }
    found.iter().map(|text| plain(text)).collect()
}
