use std::path::Path;

use super::super::json::VERSION;
use super::*;
use crate::verdict::Verdict;

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
    let text = compare(&two(), &Choice::default(), Layout::Text);
    let wanted = "\
case                go              a_b
exit/a              pass            late by 120 ms
exit/new            -               skipped
load/x              lost 3 of 50    pass
passed of what ran  1 of 2          1 of 2

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
    let text = compare(&two(), &Choice::default(), Layout::Markdown);
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
    let text = compare(&runs, &Choice::default(), Layout::Text);
    assert!(text.starts_with("case                a/probe.json  b/probe.json\n"), "{text}");
}

#[test]
fn files_of_one_name_are_runs_of_one_server_where_that_is_asked_for() {
    let lost = |lost| Verdict::Lost { lost, of: 50 };
    let of_go = |place: &str, a, x| run(&format!("{place}/go.json"), 1, &[("e/a", a), ("l/x", x)]);
    let runs = [
        of_go("1", Verdict::CouldNotRun, lost(3)),
        run("1/other.json", 1, &[("e/a", Verdict::Hung), ("l/x", Verdict::Skipped)]),
        of_go("2", Verdict::Pass, Verdict::Pass),
        of_go("3", Verdict::Pass, lost(9)),
    ];
    let choice = Choice { by_name: true, only: Vec::new() };
    let text = compare(&runs, &choice, Layout::Markdown);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "| case | go | other |",
            "|---|---|---|",
            // One that could not run says nothing.
            "| e/a | pass | hung |",
            "| l/x | lost 9 of 50 (2 of 3 runs) | skipped |",
            "| passed of what ran | 1 of 2 | 0 of 1 |",
        ]
    );
    let agreement = "- Each verdict is the worst of 1 to 3 runs; 3 of 4 were the same in every run, \
                     of the others it is said how often they came";
    assert!(lines.contains(&agreement), "{text}");
}

#[test]
fn only_what_is_asked_for_is_shown_and_counted() {
    let choice = Choice { by_name: false, only: vec!["load".to_owned(), "exit/new".to_owned()] };
    let text = compare(&two(), &choice, Layout::Markdown);
    let rows: Vec<_> = text.lines().skip(2).take(3).collect();
    assert_eq!(
        rows,
        [
            "| exit/new | - | skipped |",
            "| load/x | lost 3 of 50 | pass |",
            "| passed of what ran | 0 of 1 | 1 of 1 |",
        ]
    );
}

#[test]
fn what_names_no_case_of_the_files_is_found() {
    let only = |words: [&str; 2]| Choice { by_name: false, only: words.map(str::to_owned).into() };
    assert_eq!(only(["load", "exit/new"]).unknown(&two()), None);
    assert_eq!(only(["load", "exit/old"]).unknown(&two()), Some("exit/old"));
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
