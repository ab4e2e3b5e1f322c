//! `lameduck run` replaces servers written in Go, Python, JavaScript and Rust again and again, under a load of fresh
//! connections: none is refused and none is reset. Each server learns of its readiness in another way.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lameduck_testkit::{
    Fresh, Proc, Server, ServerCommand, Signal, Tool, eventually, example, free_port, needing,
};
use libtest_mimic::{Arguments, Trial};

const LAMEDUCK: &str = env!("CARGO_BIN_EXE_lameduck");
const PYTHON: &str = "/usr/bin/python3";
const SECOND: Duration = Duration::from_secs(1);

fn main() {
    let trials = vec![
        needing(&[Tool::Go], "a_go_server_that_says_ready_is_replaced_20_times", || {
            let server = built_by_go();
            let _ =
                under_load("http", 20, |run| run.args(["--ready", "notify", "--"]).arg(&server));
        }),
        Trial::test("a_python_server_is_replaced_6_times", || {
            let _ = under_load("http", 6, |run| run.args(["--", PYTHON]).arg(source("server.py")));
            Ok(())
        }),
        Trial::test(
            "a_lameduck_server_is_replaced_6_times_and_closes_the_sockets_itself_at_the_end",
            || {
                let target = example("target");
                let log =
                    under_load("public", 6, |run| run.env("PORT", "0").arg("--").arg(&target));
                // The report of each says how its listener was closed.
                let shared =
                    "\"accepted until none was waiting; what comes is for the other process";
                let alone = "\"dropped new connections until no handshake was under way";
                assert_eq!(
                    (log.matches(shared).count(), log.matches(alone).count()),
                    (6, 1),
                    "{log}"
                );
                Ok(())
            },
        ),
        needing(&[Tool::Node], "a_node_server_that_answers_a_probe_is_replaced_6_times", || {
            let node = Tool::Node.find().unwrap();
            let _ = under_load("http", 6, |run| {
                run.args(["--ready", "http://127.0.0.1:{port}/", "--"])
                    .arg(&node)
                    .arg(source("server.js"))
                    .arg("{port}")
            });
        }),
    ];
    // Each has the machine's few cores for itself.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit();
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run_languages").join(name)
}

fn built_by_go() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("run-server-go-{}", std::process::id()));
    let mut go = Command::new(Tool::Go.find().unwrap());
    go.args(["build", "-o"]).arg(&program).arg(source("server.go"));
    let output = go.env("GOCACHE", folder.join("go")).env("GO111MODULE", "off").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Replaces the server so often while 10 clients open one connection after the other, and then stops it. Its socket is
/// called `name`. What all of them said on standard error.
fn under_load(
    name: &str,
    times: usize,
    with: impl FnOnce(ServerCommand) -> ServerCommand,
) -> String {
    let addr = ([127, 0, 0, 1], free_port()).into();
    let run = Server::command(LAMEDUCK).args(["run", "--grace", "15s", "--listen"]);
    let run = with(run.arg(format!("{name}={addr}"))).addr(addr).lifetime(60 * SECOND).start();
    run.wait_for_stderr("is ready", 20 * SECOND);
    let load = Fresh::new(addr).clients(10).expect("OK").start();
    load.flowing(50);
    for number in 1..=times {
        // By either signal.
        run.signal(if number % 2 == 0 { Signal::HUP } else { Signal::USR2 });
        let (old, new) = (format!("child {number} "), format!("child {} ", number + 1));
        let replaced = || {
            run.stderr().lines().any(|line| {
                line.contains(&old) && line.contains("exited with code 0") && line.contains(&new)
            })
        };
        assert!(eventually(20 * SECOND, replaced), "{}", run.transcript());
        load.flowing(20);
    }
    let tally = load.finish();
    eprintln!("{times} replacements: {tally}");
    let lost = (tally.refused, tally.turned_away, tally.failed(), tally.hung);
    assert_eq!(lost, (0, 0, 0, 0), "{tally}\n{}", run.transcript());
    assert_eq!(Proc::of(run.pid()).children().len(), 1, "{}", run.transcript());
    run.signal(Signal::TERM);
    let exit = run.wait_exit(16 * SECOND);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    exit.stderr
}
