//! What process 1 of a container has to do.

use lameduck_testkit::{Proc, Server, Signal, eventually, in_ci, is_root};

use crate::fixture::{LAMEDUCK, LONG, Run, Script, exists};

#[test]
fn orphans_are_reaped() {
    let run = Run::start(&[], "orphan");
    run.server.wait_for_stdout("orphan ", LONG);
    let stdout = run.server.stdout();
    let orphan = stdout.lines().find_map(|line| line.strip_prefix("orphan ")).expect("it tells");
    let orphan: u32 = orphan.trim().parse().unwrap();
    // A zombie would still have its process id.
    assert!(eventually(LONG, || !exists(orphan)), "{orphan} is there");
    assert_eq!(Proc::of(run.server.pid()).children(), [run.answering()]);
}

#[test]
fn as_process_1_it_replaces_reaps_and_passes_signals_and_codes_on() {
    if !is_root() {
        eprintln!("skipped: a process namespace needs root");
        assert!(!in_ci(), "CI runs as root");
        return;
    }
    let script = Script::new("orphan code=9");
    let run = Server::command("/usr/bin/unshare")
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", LAMEDUCK, "run", "--"])
        .args(["/bin/sh"])
        .arg(script.path())
        .start();
    run.wait_for_stderr("it said READY=1", LONG);
    let init = Proc::of(run.pid()).children()[0];
    let inside = std::fs::read_to_string(format!("/proc/{init}/status")).unwrap();
    let ids = inside.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    assert!(ids.ends_with("\t1"), "{ids}");
    signal(init, Signal::HUP);
    run.wait_for_stderr("serves alone", LONG);
    let alone = || {
        let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children"));
        children.is_ok_and(|children| children.split_whitespace().count() == 1)
    };
    assert!(eventually(LONG, alone), "both orphans are reaped\n{}", run.transcript());
    signal(init, Signal::TERM);
    assert_eq!(run.wait_exit(LONG).code, Some(9), "{}", run.transcript());
}

fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
