//! Several servers held against the cases, from the JSON of their runs.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::json::VERSION;
use super::timeline::signal_name;
use crate::verdict::{Judgement, Verdict};

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For a terminal.
    Text,
    /// For a document.
    Markdown,
}

/// One run, as its JSON has it, without what was seen in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    name: String,
    path: String,
    document: Document,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Document {
    version: u32,
    #[serde(default)]
    probe: String,
    command: String,
    signal: i32,
    grace_ms: u64,
    rtt_ms: u64,
    cases: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Entry {
    id: String,
    #[serde(flatten)]
    judgement: Judgement,
}

/// Why a file can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// It is no JSON, or other JSON.
    #[error("{path} is no file of `lameduck probe --json`: {why}")]
    Other {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: serde_json::Error,
    },
    /// Its fields may mean something else.
    #[error("{path} is of version {found}, and this probe reads version {VERSION}: run it again")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
    },
}

impl Run {
    /// Reads the JSON of a run; the path is what it is named after.
    ///
    /// # Errors
    /// It is something else, or of another version.
    pub fn read(path: &Path, text: &[u8]) -> Result<Self, CompareError> {
        let shown = path.display().to_string();
        // First, so that a version with other fields is told as such.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let other = |why| CompareError::Other { path: shown.clone(), why };
        let Versioned { version: found } = serde_json::from_slice(text).map_err(other)?;
        if found != VERSION {
            return Err(CompareError::Version { path: shown, found });
        }
        let document: Document = serde_json::from_slice(text).map_err(other)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, path: shown, document })
    }

    fn verdict(&self, id: &str) -> Option<&Judgement> {
        self.document.cases.iter().find(|entry| entry.id == id).map(|entry| &entry.judgement)
    }

    fn score(&self) -> String {
        let count = |f: fn(Verdict) -> bool| {
            self.document.cases.iter().filter(|entry| f(entry.judgement.verdict)).count()
        };
        format!("{} of {} passed", count(|v| v == Verdict::Pass), count(Verdict::counts))
    }
}

/// The table: cases down, servers across; under it who they are, and what makes them hard to compare.
#[must_use]
pub fn compare(runs: &[Run], layout: Layout) -> String {
    let names = names(runs);
    let ids = ids(runs);
    let mut rows = vec![[vec!["case".to_owned()], names.clone()].concat()];
    for id in &ids {
        let cells = runs.iter().map(|run| run.verdict(id).map_or_else(|| "-".to_owned(), cell));
        rows.push([vec![(*id).to_owned()], cells.collect()].concat());
    }
    let scores = runs.iter().map(Run::score);
    rows.push([vec!["passed of what ran".to_owned()], scores.collect()].concat());
    let mut text = match layout {
        Layout::Text => columns(&rows),
        Layout::Markdown => markdown(&rows),
    };
    text.push('\n');
    let bullet = match layout {
        Layout::Text => "",
        Layout::Markdown => "- ",
    };
    for (run, name) in runs.iter().zip(&names) {
        let command = match layout {
            Layout::Text => plain(&run.document.command),
            Layout::Markdown => code(&run.document.command),
        };
        let _ = writeln!(text, "{bullet}{}: {command}", shown(name, layout));
    }
    for difference in differences(runs, &names, &ids) {
        let _ = writeln!(text, "{bullet}Not the same: {}", shown(&difference, layout));
    }
    text
}

/// After the file; after its whole path where two files have one name.
fn names(runs: &[Run]) -> Vec<String> {
    let twice = |name: &str| runs.iter().filter(|run| run.name == name).count() > 1;
    let name = |run: &Run| if twice(&run.name) { &run.path } else { &run.name }.clone();
    runs.iter().map(name).map(|name| plain(&name)).collect()
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

fn cell(judgement: &Judgement) -> String {
    match judgement.verdict {
        Verdict::Lost { lost, of } => format!("lost {lost} of {of}"),
        Verdict::Late { by_ms } => format!("late by {by_ms} ms"),
        verdict @ (Verdict::Pass
        | Verdict::Skipped
        | Verdict::CouldNotRun
        | Verdict::Odd
        | Verdict::Hung
        | Verdict::Cut) => verdict.word().to_owned(),
    }
}

fn differences(runs: &[Run], names: &[String], ids: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let options = runs.iter().map(|run| {
        let Document { probe, signal, grace_ms, rtt_ms, .. } = &run.document;
        let probe = if probe.is_empty() { "unknown" } else { probe };
        [
            ("version of the probe", probe.to_owned()),
            ("signal", signal_name(*signal)),
            ("grace", format!("{grace_ms} ms")),
            ("round trip", format!("{rtt_ms} ms")),
        ]
    });
    let options: Vec<_> = options.collect();
    for place in 0..options.first().map_or(0, |of| of.len()) {
        let values = || options.iter().map(|of| &of[place]);
        if values().any(|value| *value != options[0][place]) {
            let each =
                names.iter().zip(values()).map(|(name, (_, value))| format!("{name} {value}"));
            let each: Vec<_> = each.collect();
            found.push(format!("{} ({})", options[0][place].0, each.join(", ")));
        }
    }
    for (run, name) in runs.iter().zip(names) {
        let lacking: Vec<_> = ids.iter().filter(|id| run.verdict(id).is_none()).copied().collect();
        if let Some(first) = lacking.first() {
            let count = lacking.len();
            found.push(format!(
                "cases ({name} was run without {count} of them, {first} for one: `-`)"
            ));
        }
    }
    found.iter().map(|text| plain(text)).collect()
}

fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells: Vec<_> = cells.collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().map(|cell| shown(cell, Layout::Markdown)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if place == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}

/// On one line, and without what steers a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Without what Markdown would take for its own.
fn shown(text: &str, layout: Layout) -> String {
    match layout {
        Layout::Text => plain(text),
        Layout::Markdown => plain(text)
            .chars()
            .flat_map(|c| {
                let special = matches!(c, '|' | '*' | '_' | '<' | '>' | '[' | ']' | '\\' | '&');
                special.then_some('\\').into_iter().chain([c])
            })
            .collect(),
    }
}

/// As code, between more backticks than are in it.
fn code(text: &str) -> String {
    let text = plain(text);
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let gap = if longest > 0 { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &str, grace_ms: u64, cases: &[(&str, Verdict)]) -> Run {
        let cases: Vec<_> = cases
            .iter()
            .map(|(id, verdict)| {
                serde_json::json!({
                    "id": id, "verdict": verdict, "figure": "", "why": "", "took_ms": 1, "record": {},
                })
            })
            .collect();
        let document = serde_json::json!({
            "version": VERSION, "probe": "0.1.0", "command": format!("./{path} `a|b`\n"), "signal": 15,
            "grace_ms": grace_ms, "rtt_ms": 40, "passed": 1, "cases": cases,
        });
        Run::read(Path::new(path), document.to_string().as_bytes()).unwrap()
    }

    fn two() -> [Run; 2] {
        let lost = Verdict::Lost { lost: 3, of: 50 };
        let late = Verdict::Late { by_ms: 120 };
        [
            run("out/go.json", 5000, &[("exit/a", Verdict::Pass), ("load/x", lost)]),
            run(
                "out/a_b.json",
                2000,
                &[("exit/a", late), ("exit/new", Verdict::Skipped), ("load/x", Verdict::Pass)],
            ),
        ]
    }

    #[test]
    fn servers_are_held_against_cases() {
        let text = compare(&two(), Layout::Text);
        let wanted = "\
case                go              a_b
exit/a              pass            late by 120 ms
exit/new            -               skipped
load/x              lost 3 of 50    pass
passed of what ran  1 of 2 passed   1 of 2 passed

go: ./out/go.json `a|b`\u{fffd}
a_b: ./out/a_b.json `a|b`\u{fffd}
Not the same: grace (go 5000 ms, a_b 2000 ms)
Not the same: cases (go was run without 1 of them, exit/new for one: `-`)
";
        // Two spaces between the columns.
        let squeezed =
            |text: &str| text.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&text), squeezed(wanted), "{text}");
        let columns: Vec<_> = text.lines().take(5).map(|line| line.find("  ")).collect();
        assert!(columns.iter().all(Option::is_some), "{text}");
    }

    #[test]
    fn a_markdown_table_holds_nothing_that_breaks_it() {
        let text = compare(&two(), Layout::Markdown);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..3],
            ["| case | go | a\\_b |", "|---|---|---|", "| exit/a | pass | late by 120 ms |"]
        );
        assert!(text.contains("- a\\_b: `` ./out/a_b.json `a|b`\u{fffd} ``\n"), "{text}");
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_paths() {
        let runs = [run("a/probe.json", 1, &[]), run("b/probe.json", 1, &[])];
        let text = compare(&runs, Layout::Text);
        assert!(text.starts_with("case                a/probe.json   b/probe.json\n"), "{text}");
    }

    #[test]
    fn what_is_no_probe_json_is_told_so() {
        let read =
            |text: &str| Run::read(Path::new("x.json"), text.as_bytes()).unwrap_err().to_string();
        for wrong in ["", "hello", "[]", "{}", r#"{"version":1,"results":[]}"#] {
            let why = read(wrong);
            assert!(why.starts_with("x.json is no file of `lameduck probe --json`: "), "{why}");
        }
        let why = "x.json is of version 9, and this probe reads version 1: run it again";
        assert_eq!(read(r#"{"version":9}"#), why);
    }
}
