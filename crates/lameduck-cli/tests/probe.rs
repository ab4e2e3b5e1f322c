//! `lameduck probe` as a person meets it: a whole run, bad input of every kind, and no process left behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lameduck_testkit::{Exit, Proc, Server, ServerCommand, Signal, eventually, example, free_port};
use serde_json::Value;

const PROBE: &str = env!("CARGO_BIN_EXE_lameduck");
const SECOND: Duration = Duration::from_secs(1);

fn probe<'a>(words: impl IntoIterator<Item = &'a str>) -> ServerCommand {
    words.into_iter().fold(Server::command(PROBE).arg("probe"), |command, word| command.arg(word))
}

fn run(command: ServerCommand, within: Duration) -> Exit {
    command.lifetime(within + 10 * SECOND).start().wait_exit(within)
}

#[track_caller]
fn code(exit: &Exit, code: i32) {
    assert_eq!(exit.code, Some(code), "{}\n{}", exit.stdout, exit.stderr);
}

fn target() -> String {
    example("target").display().to_string()
}

/// A file of this test alone.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

/// A shell that writes its process id there, and then is the server.
fn server_with_its_pid_in(file: &Path) -> String {
    format!("echo $$ > {}; exec {}", file.display(), target())
}

fn pid_in(file: &Path) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[test]
fn lameducks_target_passes_every_case_in_time() {
    let path = file("whole.json");
    let words = ["--json", path.to_str().unwrap(), "--", &target()];
    let exit = run(probe(words), Duration::from_secs(90));
    code(&exit, 0);
    assert!(exit.stdout.contains("57 of 57 passed; 2 skipped, not counted."), "{}", exit.stdout);

    let result: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let cases = result["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 59);
    let request = cases.iter().find(|case| case["id"] == "in-flight/request").unwrap();
    assert_eq!(request["verdict"]["kind"], "pass");
    let exchange = request["record"]["exchanges"].as_array().unwrap().last().unwrap();
    let time = |of: &Value| of.as_u64().unwrap_or_else(|| panic!("no time: {of}"));
    let process = &request["record"]["processes"][0];
    let signal = time(&process["signals"][0][1]);
    assert!(time(&exchange["connect"]) <= time(&exchange["sent"]), "{exchange}");
    assert!(time(&exchange["sent"]) < signal, "{exchange}");
    assert!(signal < time(&process["listener_closed"]), "{process}");
    assert!(time(&exchange["end"]) <= time(&process["exit"]["at"]), "{exchange} {process}");
}

#[test]
fn a_target_with_a_lame_duck_passes_the_cases_of_readiness() {
    let ready = "http://127.0.0.1:{port2}/readyz";
    let words =
        ["--only", "readiness", "--ready", ready, "--", "env", "LAMEDUCK_ADMIN=127.0.0.1:{port2}"];
    let exit = run(probe(words).arg("LAMEDUCK_LAME_DUCK=200ms").arg(target()), 30 * SECOND);
    code(&exit, 0);
    assert!(exit.stdout.contains("2 of 2 passed."), "{}", exit.stdout);
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let exit = run(probe(["--", "/there/is/no/such-server"]), 10 * SECOND);
    code(&exit, 2);
    let line = "lameduck probe: there is no program /there/is/no/such-server: check the words behind `--`\n";
    assert_eq!(exit.stderr, line);
    // It is a server's name behind `--`, and an action of the probe's in front.
    let exit = run(probe(["--", "compare", "a.json"]), 10 * SECOND);
    code(&exit, 2);
    assert!(exit.stderr.contains("there is no program compare: "), "{}", exit.stderr);
}

#[test]
fn a_server_that_exits_at_once_is_shown_with_its_last_words() {
    let exit = run(probe(["--", "sh", "-c", "echo no such table: users; exit 3"]), 10 * SECOND);
    code(&exit, 2);
    let line = "lameduck probe: the server ended before it was ready, with exit code 3; \
                its last words: no such table: users\n";
    assert_eq!(exit.stderr, line);
}

#[test]
fn a_server_that_never_listens_is_given_up_and_killed() {
    let path = file("silent.pid");
    let script = format!("echo $$ > {}; exec sleep 100", path.display());
    let exit = run(probe(["--start-limit", "1s", "--", "sh", "-c", &script]), 10 * SECOND);
    code(&exit, 2);
    assert!(
        exit.stderr.contains("the server runs, but nobody listened on port "),
        "{}",
        exit.stderr
    );
    assert!(exit.stderr.ends_with(" within 1 s; it printed nothing\n"), "{}", exit.stderr);
    assert!(!Proc::of(pid_in(&path).unwrap()).runs());
}

#[test]
fn a_server_that_listens_on_another_port_is_told_which() {
    let port = free_port();
    let exit = run(probe(["--", "env", &format!("PORT={port}"), &target()]), 20 * SECOND);
    code(&exit, 2);
    let begin = format!("lameduck probe: the server listens on port {port} instead of ");
    assert!(exit.stderr.starts_with(&begin), "{}", exit.stderr);
    assert!(
        exit.stderr.ends_with(": have it take PORT, or put {port} into the command\n"),
        "{}",
        exit.stderr
    );
}

#[test]
fn a_server_that_ignores_the_signal_hangs_and_is_killed_with_its_group() {
    let path = file("deaf.pid");
    // The shell ignores the signal; the server is its child, and gets none.
    let script = format!("trap '' TERM; {} & echo $! > {}; wait", target(), path.display());
    let words = ["--grace", "1s", "--only", "exit/sigterm", "--", "sh", "-c", &script];
    let exit = run(probe(words), 20 * SECOND);
    code(&exit, 1);
    assert!(exit.stdout.contains("hung          MUST   exit/sigterm"), "{}", exit.stdout);
    assert!(exit.stdout.contains("the process did not end, and was killed"), "{}", exit.stdout);
    // It is no child of the probe's, which reaps its own: it ends a moment behind the signal to its group.
    let server = Proc::of(pid_in(&path).unwrap());
    assert!(eventually(5 * SECOND, || !server.runs()));
}

#[test]
fn a_server_that_prints_megabytes_is_not_blocked_by_it_and_little_is_kept() {
    let path = file("loud.json");
    let script = format!("head -c 3000000 /dev/zero | tr '\\0' x >&2; exec {}", target());
    let words =
        ["--only", "exit/sigterm", "--json", path.to_str().unwrap(), "--", "sh", "-c", &script];
    let exit = run(probe(words), 20 * SECOND);
    code(&exit, 0);
    let size = std::fs::metadata(&path).unwrap().len();
    assert!((1_000..100_000).contains(&size), "{size} bytes");
}

#[test]
fn ctrl_c_ends_the_run_and_its_servers() {
    for signal in [Signal::INT, Signal::TERM] {
        let path = file(&format!("interrupted-{}.pid", signal.as_raw()));
        let words = ["--only", "stuck/exit", "--", "sh", "-c"];
        let probe = probe(words).arg(server_with_its_pid_in(&path)).lifetime(30 * SECOND).start();
        let begun = || pid_in(&path).is_some_and(|pid| Proc::of(pid).runs());
        assert!(eventually(10 * SECOND, begun), "{}", probe.transcript());
        probe.signal(signal);
        let exit = probe.wait_exit(5 * SECOND);
        code(&exit, 128 + signal.as_raw());
        assert!(exit.stderr.contains("its servers are killed"), "{}", exit.stderr);
        assert!(!Proc::of(pid_in(&path).unwrap()).runs());
    }
}

#[test]
fn a_probe_that_is_killed_leaves_no_server_behind() {
    let path = file("orphan.pid");
    let words = ["--only", "stuck/exit", "--", "sh", "-c"];
    let probe = probe(words).arg(server_with_its_pid_in(&path)).lifetime(30 * SECOND).start();
    let runs = || pid_in(&path).is_some_and(|pid| Proc::of(pid).runs());
    assert!(eventually(10 * SECOND, runs), "{}", probe.transcript());
    probe.signal(Signal::KILL);
    assert_eq!(probe.wait_exit(5 * SECOND).signal, Some(9));
    assert!(eventually(5 * SECOND, || !runs()), "{} runs on", pid_in(&path).unwrap());
}

#[test]
fn routes_that_are_missing_are_skipped_and_not_counted() {
    let target = target();
    let words =
        ["--only", "in-flight/request", "--only", "exit/sigterm", "--map", "sleep=/no/such/route"];
    let exit = run(probe(words).arg("--").arg(&target), 20 * SECOND);
    code(&exit, 0);
    assert!(exit.stdout.contains("1 of 1 passed; 1 skipped, not counted."), "{}", exit.stdout);
    assert!(exit.stdout.contains("the server lacks the route /sleep?ms={ms}"), "{}", exit.stdout);
}

#[test]
fn a_server_that_says_200_to_every_path_has_no_slow_routes() {
    let server = "import http.server as h, os
class Anything(h.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'OK')
h.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Anything).serve_forever()";
    let words = ["--only", "in-flight/request", "--only", "exit/starting", "--"];
    let exit = run(probe(words).args(["/usr/bin/python3", "-c", server]), 30 * SECOND);
    code(&exit, 0);
    assert!(exit.stdout.contains("1 of 1 passed; 1 skipped, not counted."), "{}", exit.stdout);
}

#[test]
fn a_mapped_route_is_asked_for_instead() {
    let words = ["--only", "in-flight/request", "--map", "sleep=/block?ms={ms}", "--", &target()];
    let exit = run(probe(words), 20 * SECOND);
    code(&exit, 0);
    assert!(exit.stdout.contains("1 of 1 passed."), "{}", exit.stdout);
}

#[test]
fn a_run_in_which_nothing_ran_is_no_success() {
    let exit = run(probe(["--only", "readiness", "--", &target()]), 20 * SECOND);
    code(&exit, 2);
    assert!(
        exit.stdout.contains("Nothing ran, so nothing is proved; 2 skipped"),
        "{}",
        exit.stdout
    );
}

#[test]
fn misuse_is_explained_in_a_line() {
    for (words, line) in [
        (vec![], "which server? Write its command behind `--`: lameduck probe -- ./server"),
        (
            vec!["--only", "nothing", "--", "true"],
            "--only nothing: there is no such group or case; the groups are exit, ",
        ),
        (
            vec!["--map", "nap=/x", "--", "true"],
            "--map nap=/x: there is no such route; there are root, sleep, ",
        ),
        (
            vec!["--json", "/no/such/folder/x.json", "--", "true"],
            "/no/such/folder/x.json: No such file or directory",
        ),
        (
            vec!["--html", "/no/such/folder/x.html", "--", "true"],
            "/no/such/folder/x.html: No such file or directory",
        ),
        (
            vec!["--junit", "/no/such/folder/x.xml", "--", "true"],
            "/no/such/folder/x.xml: No such file or directory",
        ),
    ] {
        let exit = run(probe(words), 10 * SECOND);
        code(&exit, 2);
        assert!(exit.stderr.starts_with(&format!("lameduck probe: {line}")), "{}", exit.stderr);
    }
    for wrong in [["--grace", "5"], ["--signal", "KILL"], ["--ready", "readyz"]] {
        code(&run(probe(wrong), 10 * SECOND), 2);
    }
}

#[test]
fn every_case_is_explained_by_list() {
    let exit = run(probe(["--list", "--only", "stuck"]), 10 * SECOND);
    code(&exit, 0);
    assert!(
        exit.stdout.starts_with("stuck/exit (MUST)\n  A handler that never ends"),
        "{}",
        exit.stdout
    );
    assert!(exit.stdout.ends_with("\n10 cases\n"), "{}", exit.stdout);
}
