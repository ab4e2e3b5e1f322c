//! Generations follow a server that restarts itself, and say what is wrong with one that does not.

#![allow(missing_docs, reason = "a test program")]

use std::time::Duration;

use lameduck_testkit::{Generations, Server, Signal};

const SECOND: Duration = Duration::from_secs(1);

/// A process that does `restart` on SIGUSR2 and reports on SIGTERM.
fn start(restart: &str) -> Generations {
    let program = format!(
        "import os, signal, time
def report():
    os.write(2, b'{{\"outcome\": \"clean\"}}\\n')
    os._exit(0)
def restart():
    {restart}
signal.signal(signal.SIGTERM, lambda *_: report())
signal.signal(signal.SIGUSR2, lambda *_: restart())
os.write(1, b'ready\\n')
# Not `signal.pause()`: a signal that comes just before it is heard with the next one only.
while True:
    time.sleep(0.05)
"
    );
    let server = Server::command("/usr/bin/python3").args(["-I", "-S", "-c", &program]).start();
    server.wait_for_stdout("ready", 10 * SECOND);
    Generations::of(server)
}

#[test]
fn each_successor_is_found_and_all_reports_are_read() {
    let mut generations = start("os.fork() and report()");
    let mut pids = vec![generations.current().pid()];
    for _ in 0..3 {
        generations.restart(10 * SECOND).unwrap();
        pids.push(generations.current().pid());
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!((pids.len(), generations.restarts()), (4, 3));
    let reports = generations.stop(10 * SECOND).unwrap();
    assert_eq!(reports.len(), 4, "{reports:?}");
    assert!(reports.iter().all(|report| report["outcome"] == "clean"));
}

#[test]
fn a_predecessor_that_stays_is_named() {
    let mut generations = start("pass");
    let pid = generations.current().pid();
    let error = generations.restart(SECOND / 5).unwrap_err();
    assert!(error.contains(&format!("{pid} still runs after")), "{error}");
    assert_eq!(generations.successor(SECOND / 10).unwrap_err().lines().next(), {
        Some("after 0 restarts: no successor after 100ms")
    });
}

#[test]
fn a_restart_without_a_successor_or_with_two_is_an_error() {
    let error = start("report()").restart(10 * SECOND).unwrap_err();
    assert!(error.contains("ended without a successor"), "{error}");
    let error = start("os.fork() and os.fork() and report()").restart(10 * SECOND).unwrap_err();
    assert!(error.contains("more than one process is left"), "{error}");
}

#[test]
fn a_successor_is_seen_while_its_predecessor_runs_and_dies_with_the_test() {
    let generations = start("os.fork()");
    generations.signal(Signal::USR2).unwrap();
    let successor = generations.successor(10 * SECOND).unwrap();
    assert_eq!(generations.server().processes(), [generations.current(), successor]);
    drop(generations);
    assert!(lameduck_testkit::eventually(10 * SECOND, || !successor.runs()));
}

#[test]
fn nobody_is_signalled_who_has_ended() {
    let generations = start("pass");
    generations.signal(Signal::KILL).unwrap();
    let _ = generations.server().wait_exit(10 * SECOND);
    let error = generations.signal(Signal::USR2).unwrap_err();
    assert!(error.contains("has ended"), "{error}");
}
