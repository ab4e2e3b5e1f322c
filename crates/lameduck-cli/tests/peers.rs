//! What `peers/run` compares is really judged: the smallest peers in two other languages, beside lameduck's target.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lameduck_testkit::{Exit, Server, Tool, example, needing};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

const PROBE: &str = env!("CARGO_BIN_EXE_lameduck");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Most of it is the Go compiler's, on a machine that others work on too.
const LIMIT: Duration = Duration::from_secs(150);
const CASE: &str = "load/keep-alive-far";

fn main() {
    let tools = [Tool::Go, Tool::Uvicorn];
    let judged = "go_and_uvicorn_lose_busy_clients_a_round_trip_away_and_lameduck_none";
    let trials = vec![
        needing(&tools, judged, are_judged),
        Trial::test("a_peer_that_is_not_there_is_misuse", || {
            is_misuse();
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn peers<'a>(words: impl IntoIterator<Item = &'a str>) -> Exit {
    let run = format!("{ROOT}/peers/run");
    let command = Server::command("/usr/bin/python3").arg(run).args(words);
    command.lifetime(LIMIT * 2).start().wait_exit(LIMIT)
}

fn are_judged() {
    let runs = folder();
    let document = runs.join("comparison.md");
    std::fs::write(
        &document,
        "before\n<!-- peers/run: begin -->\nold\n<!-- peers/run: end -->\nafter\n",
    )
    .unwrap();
    let target = example("target").display().to_string();
    let into = runs.display().to_string();
    let programs = ["--lameduck", PROBE, "--target", &target, "--into", &into];
    let exit = peers([&programs[..], &["--only", CASE, "lameduck", "go", "uvicorn"]].concat());
    assert_eq!(exit.code, Some(0), "{}\n{}", exit.stdout, exit.stderr);

    assert_eq!(verdict(&runs, "lameduck")["kind"], "pass");
    for peer in ["go", "uvicorn"] {
        let verdict = verdict(&runs, peer);
        assert_eq!(verdict["kind"], "lost", "{peer}: {verdict}");
        let [lost, of] = ["lost", "of"].map(|name| verdict[name].as_u64().unwrap());
        // Of fifty clients each is in the same place, so it is no single one that loses.
        assert!((5..=of).contains(&lost), "{peer}: {verdict}");
    }

    // And the document is written from what was seen, between its two comments.
    let shown = document.display().to_string();
    let exit = peers([&programs[..], &["--runs", "0", "--document", &shown]].concat());
    assert!(matches!(exit.code, Some(0 | 3)), "{}\n{}", exit.stdout, exit.stderr);
    let text = std::fs::read_to_string(&document).unwrap();
    assert!(text.starts_with("before\n<!-- peers/run: begin -->\nRun from "), "{text}");
    assert!(text.ends_with("<!-- peers/run: end -->\nafter\n"), "{text}");
    assert!(!text.contains("old"), "{text}");
    assert!(text.contains(&format!("\n| {CASE} | pass | lost ")), "{text}");
}

fn is_misuse() {
    let exit = peers(["--lameduck", PROBE, "iis"]);
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("there is no peer iis; there are lameduck, go, "),
        "{}",
        exit.stderr
    );
}

fn verdict(runs: &Path, peer: &str) -> Value {
    let file = runs.join("1").join(format!("{peer}.json"));
    let result: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let cases = result["cases"].as_array().unwrap();
    cases.iter().find(|case| case["id"] == CASE).unwrap()["verdict"].clone()
}

/// A folder of this test alone, empty.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
