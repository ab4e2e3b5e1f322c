//! What a run leaves behind for people and programs: the page in a real browser, JUnit in a real parser, and the
//! comparison. One run is made for all: of a server that loses one request of fifty.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use lameduck_testkit::{Chromium, Exit, Page, Server, ServerCommand, Tool, needing};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

const PROBE: &str = env!("CARGO_BIN_EXE_lameduck");
const PYTHON: &str = "/usr/bin/python3";
const LIMIT: Duration = Duration::from_secs(30);
/// An argument of the server's, which it ignores, and which would break a page or an XML document.
const WILD: &str = "</title>\"'><script>window.broken = 'command'</script>&\u{1b}";

static RUN: LazyLock<Run> = LazyLock::new(Run::make);

fn main() {
    let mut trials = vec![
        Trial::test("junit_is_read_by_a_parser_with_each_kind_of_end_as_its_own", || {
            junit_is_read();
            Ok(())
        }),
        Trial::test("compare_holds_servers_against_cases", || {
            compares();
            Ok(())
        }),
        Trial::test("compare_says_what_is_no_file_of_the_probe", || {
            compares_no_other_files();
            Ok(())
        }),
    ];
    let chromium = [Tool::Chromium];
    trials.push(needing(&chromium, "the_page_shows_which_request_was_lost", shows_what_was_lost));
    trials.push(needing(&chromium, "nothing_from_the_server_is_part_of_the_page", is_escaped));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

struct Run {
    html: PathBuf,
    junit: PathBuf,
    json: PathBuf,
    result: Value,
}

impl Run {
    fn make() -> Self {
        let [html, junit, json] = ["html", "xml", "json"].map(|kind| file("losing", kind));
        let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports/losing.py");
        let mut command =
            probe(["--grace", "2s", "--only", "exit/sigterm", "--only", "exit/sigint"]).args([
                "--only",
                "in-flight/many",
                "--only",
                "websocket/goodbye",
            ]);
        for (option, path) in [("--html", &html), ("--junit", &junit), ("--json", &json)] {
            command = command.arg(option).arg(path);
        }
        let exit = run(command.args(["--", PYTHON, server, WILD]));
        assert_eq!(exit.code, Some(1), "{}\n{}", exit.stdout, exit.stderr);
        let text = std::fs::read(&json).unwrap();
        Self { html, junit, json, result: serde_json::from_slice(&text).unwrap() }
    }

    fn case(&self, id: &str) -> &Value {
        let cases = self.result["cases"].as_array().unwrap();
        cases.iter().find(|case| case["id"] == id).unwrap()
    }

    fn open(&self, chromium: &Chromium) -> Page {
        chromium.open(&format!("file://{}", self.html.display()))
    }
}

fn probe<'a>(words: impl IntoIterator<Item = &'a str>) -> ServerCommand {
    Server::command(PROBE).arg("probe").args(words)
}

fn run(command: ServerCommand) -> Exit {
    command.lifetime(LIMIT * 2).start().wait_exit(LIMIT)
}

/// A file of this test alone.
fn file(name: &str, kind: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.{kind}", std::process::id()))
}

fn shows_what_was_lost() {
    let many = RUN.case("in-flight/many");
    assert_eq!(many["verdict"], json!({ "kind": "lost", "lost": 1, "of": 50 }), "{}", many["why"]);
    let exchanges = many["record"]["exchanges"].as_array().unwrap();
    let lost = exchanges.iter().find(|exchange| exchange["outcome"] == "lost").unwrap();

    let chromium = Chromium::start().unwrap();
    let mut page = RUN.open(&chromium);
    let score = page.evaluate("document.querySelector('.score').textContent");
    assert_eq!(score, "1 of 3 passed, 2 failed; 1 skipped, not counted.");
    let row = page
        .evaluate("document.querySelector('a[href=\"#in-flight/many\"]').closest('tr').innerText");
    assert!(
        row.as_str().unwrap().starts_with("✕ lost\tMUST\tin-flight/many\t1 of 50 lost\tGET /sleep"),
        "{row}"
    );

    // Its row is the first of the drawing, marked, and says what became of it.
    let case = "document.getElementById('in-flight/many')";
    let faults = format!(
        "[...{case}.querySelectorAll('.row.fault .label')].map(label => label.textContent)"
    );
    assert_eq!(page.evaluate(&faults), json!([format!("#{} in flight", lost["connection"])]));
    let first = format!("{case}.querySelector('.row').matches('.fault')");
    assert_eq!(page.evaluate(&first), true);
    assert_eq!(page.evaluate(&format!("{case}.querySelector('.fault .end').textContent")), "LOST");
    let title =
        page.evaluate(&format!("{case}.querySelector('.fault .bar.lost title').textContent"));
    let title = title.as_str().unwrap();
    assert!(title.starts_with(lost["request"].as_str().unwrap()), "{title}");
    assert!(title.contains("\nfirst byte: never\n"), "{title}");

    // It is seen without a click, and its cross stands between the signal and the exit.
    let place = |what: &str| format!("{case}.querySelector('{what}').getBoundingClientRect()");
    let order = format!(
        "[{}, {}, {}].map(place => place.left + place.width / 2)",
        place("path.signal"),
        place(".fault use[href=\"#m-lost\"]"),
        place("path.exit")
    );
    let order: Vec<f64> = serde_json::from_value(page.evaluate(&order)).unwrap();
    assert!(order[0] > 0.0 && order.is_sorted(), "{order:?}");
    assert!(page.text().contains(many["why"].as_str().unwrap()));

    // Of the 49 others a sample is there, and the rest is counted.
    let rows = page.evaluate(&format!("{case}.querySelectorAll('.row').length"));
    assert_eq!(rows, 24);
    assert!(page.text().contains("26 more rows are left out"), "{}", page.text());
    // What passed is there, but closed until one follows its link.
    let passed = "document.getElementById('exit/sigterm').closest('details').open";
    assert_eq!(page.evaluate(passed), false);
    page.evaluate("document.querySelector('a[href=\"#exit/sigterm\"]').click()");
    page.wait_until(passed, Duration::from_secs(5));
    // It needs nothing else.
    assert_eq!(page.evaluate("performance.getEntriesByType('resource').length"), 0);
    assert_eq!(page.console(), Vec::<String>::new());
}

fn is_escaped() {
    let chromium = Chromium::start().unwrap();
    let mut page = RUN.open(&chromium);
    assert_eq!(page.evaluate("document.querySelectorAll('script').length"), 0);
    assert_eq!(page.evaluate("window.broken === undefined"), true);
    let command = page.evaluate("document.querySelector('.command').textContent");
    let shown = WILD.replace('\u{1b}', "\u{fffd}");
    assert!(command.as_str().unwrap().ends_with(&shown), "{command}");
    let output = page.evaluate("document.querySelector('.output pre').textContent");
    assert!(output.as_str().unwrap().starts_with("</pre><script>"), "{output}");
}

/// What python's own parser finds: the counts, and each case with what is in it.
const READ: &str = "
import json, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
suite = root.find('testsuite')
cases = {case.get('name'): [[part.tag, part.get('message')] for part in case] for case in suite.iter('testcase')}
print(json.dumps([root.tag, dict(suite.attrib), suite.find('.//property').get('value'), cases]))
";

fn junit_is_read() {
    let exit = run(Server::command(PYTHON).args(["-c", READ]).arg(&RUN.junit));
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let read: Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(read[0], "testsuites");
    for (name, value) in [("tests", "4"), ("failures", "2"), ("errors", "0"), ("skipped", "1")] {
        assert_eq!(read[1][name], value, "{name}: {read}");
    }
    assert!(read[2].as_str().unwrap().ends_with(&WILD.replace('\u{1b}', "\u{fffd}")), "{read}");
    let cases = &read[3];
    assert_eq!(cases["exit/sigterm"], json!([]));
    assert_eq!(cases["websocket/goodbye"][0][0], "skipped");
    assert_eq!(cases["in-flight/many"][0][0], "failure");
    let why = RUN.case("in-flight/many")["why"].as_str().unwrap();
    assert_eq!(cases["in-flight/many"][0][1], format!("1 of 50 lost: {why}"));
}

fn compares() {
    let other = file("without", "json");
    let mut without = RUN.result.clone();
    without["cases"].as_array_mut().unwrap().retain(|case| case["id"] != "exit/sigint");
    std::fs::write(&other, without.to_string()).unwrap();

    let exit = run(probe(["compare"]).arg(&RUN.json).arg(&other));
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let line = |id: &str| {
        let line = exit.stdout.lines().find(|line| line.starts_with(id));
        line.unwrap_or_else(|| panic!("{id}: {}", exit.stdout))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(line("in-flight/many")[1..], ["lost", "1", "of", "50", "lost", "1", "of", "50"]);
    assert_eq!(line("exit/sigint")[1..], ["odd", "-"]);
    assert!(exit.stdout.contains("was run without 1 of them, exit/sigint"), "{}", exit.stdout);
    assert!(!exit.stdout.contains('\u{1b}'), "{:?}", exit.stdout);

    // Two files of one name are runs of one server, if that is asked for.
    let folder = file("runs", "of");
    std::fs::create_dir_all(&folder).unwrap();
    let again = folder.join(RUN.json.file_name().unwrap());
    std::fs::copy(&RUN.json, &again).unwrap();
    let words = ["compare", "--by-name", "--only", "in-flight"];
    let exit = run(probe(words).arg(&RUN.json).arg(&again));
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let lines: Vec<_> = exit.stdout.lines().collect();
    assert_eq!(lines[1], "in-flight/many      lost 1 of 50", "{}", exit.stdout);
    assert_eq!(lines[2], "passed of what ran  0 of 1", "{}", exit.stdout);

    let exit = run(probe(["compare", "--markdown"]).arg(&RUN.json));
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(exit.stdout.contains("\n|---|---|\n| exit/sigterm | pass |\n"), "{}", exit.stdout);
}

fn compares_no_other_files() {
    let refused = |command: ServerCommand| {
        let exit = run(command);
        assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""));
        exit.stderr
    };
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let why = refused(probe(["compare"]).arg(&other));
    assert!(why.contains("Cargo.toml is no file of `lameduck probe --json`: "), "{why}");
    let why = refused(probe(["compare", "/no/such.json"]));
    assert!(why.starts_with("lameduck probe: /no/such.json: No such file"), "{why}");
    let why = refused(probe(["compare", "--only", "exit/never"]).arg(&RUN.json));
    assert!(why.contains("--only exit/never: these files have no such group or case"), "{why}");
    let why = refused(probe(["compare"]));
    assert!(why.contains("required arguments were not provided"), "{why}");
}
