//! SIGHUP and SIGUSR2.

use std::time::Duration;

use lameduck_testkit::{Fresh, Proc, Signal, eventually};

use crate::fixture::{LONG, Run, number};

#[test]
fn both_signals_replace_the_child_and_neither_is_passed_on() {
    let run = Run::start(&[], "");
    let mut seen = vec![run.answering()];
    for (signal, number) in [(Signal::HUP, 2), (Signal::USR2, 3)] {
        run.signal(signal).wait_for(&format!("child {number} (pid"));
        let replaced = || run.server.stderr().matches("serves alone").count() == number - 1;
        assert!(eventually(LONG, replaced), "{}", run.server.transcript());
        seen.push(run.answering());
        assert!(!Proc::of(seen[number - 2]).runs());
    }
    let signals = run.told("signal", 2);
    assert!(signals.iter().all(|told| told["signal"] == "SIGTERM"), "{signals:?}");
    // The sockets are the new child's as well, and the old one is told so.
    assert!(signals.iter().all(|told| told["held"] == true), "{signals:?}");
}

#[test]
fn a_new_child_that_exits_leaves_the_old_one_serving_and_the_next_one_may_succeed() {
    let run = Run::start(&[], "");
    let load = Fresh::new(run.addr).clients(2).start();
    let first = run.answering();
    run.script().write_shell("exit 3");
    run.signal(Signal::HUP).wait_for("the replacement failed");
    let line = run.line("the replacement failed");
    assert!(line.contains("exited with code 3; child 1 (pid "), "{line}");
    assert!(line.ends_with("serves on"), "{line}");
    assert_eq!(run.answering(), first);
    run.next("").signal(Signal::HUP).wait_for("serves alone");
    assert_ne!(run.answering(), first);
    let tally = load.finish();
    assert_eq!((tally.refused, tally.failed()), (0, 0), "{tally}");
}

#[test]
fn a_program_that_is_gone_fails_the_replacement_with_the_systems_reason() {
    let script = crate::fixture::Script::new("");
    std::fs::write(
        script.path(),
        format!("#!/bin/sh\n{}", std::fs::read_to_string(script.path()).unwrap()),
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(script.path(), mode).unwrap();
    let run = crate::fixture::run(["--"]).arg(script.path()).start();
    run.wait_for_stderr("it said READY=1", LONG);
    std::fs::remove_file(script.path()).unwrap();
    run.signal(Signal::HUP);
    run.wait_for_stderr("the replacement failed", LONG);
    let stderr = run.stderr();
    let line = stderr.lines().find(|line| line.contains("failed")).unwrap();
    assert!(line.contains("child 2 could not be started: "), "{line}");
    assert!(line.contains("No such file or directory"), "{line}");
    run.signal(Signal::TERM);
    assert_eq!(run.wait_exit(LONG).code, Some(0));
}

#[test]
fn a_new_child_that_never_becomes_ready_is_ended_and_the_old_one_serves_on() {
    // The first one has said READY=1, so a second of life does not do.
    let run = Run::start(&["--ready-within", "1500ms"], "");
    let first = run.answering();
    run.next("mute slow=0.5").signal(Signal::HUP).wait_for("the replacement failed");
    let line = run.line("the replacement failed");
    assert!(line.contains("was not ready within 1.5"), "{line}");
    assert!(line.contains("it has not said READY=1, as the child before it had"), "{line}");
    run.wait_for("child 2 (pid").wait_for("exited with code 0");
    let signals = run.told("signal", 1);
    assert_ne!(number(&signals[0], "pid"), first);
    assert!(!Proc::of(number(&signals[0], "pid")).runs());
    assert_eq!(run.answering(), first);
}

#[test]
fn a_request_during_a_replacement_follows_it_once() {
    let run = Run::start(&[], "");
    run.next("slow=0.5").signal(Signal::HUP).wait_for("child 2 is started (pid");
    for signal in [Signal::USR2, Signal::HUP, Signal::USR2] {
        run.signal(signal);
    }
    run.wait_for("that follows once this is over");
    let settled = || run.server.stderr().matches("serves alone").count() == 2;
    assert!(eventually(LONG, settled), "{}", run.server.transcript());
    assert!(!eventually(Duration::from_millis(700), || {
        run.server.stderr().contains("child 4")
    }));
    assert_eq!(run.answering(), number(&run.told("env", 3)[2], "pid"));
}

#[test]
fn two_requests_at_once_end_with_the_newest_program_and_one_child() {
    let run = Run::start(&[], "");
    run.signal(Signal::HUP).signal(Signal::USR2);
    run.wait_for("child 3 is started");
    let settled = || run.server.stderr().matches("serves alone").count() == 2;
    assert!(eventually(LONG, settled), "{}", run.server.transcript());
    assert_eq!(Proc::of(run.server.pid()).children(), [run.answering()]);
}

#[test]
fn an_old_child_that_does_not_end_is_killed_after_the_grace_with_its_helpers() {
    let run = Run::start(&["--grace", "300ms"], "deaf helper");
    let (old, helper) = (run.answering(), number(&run.told("helper", 1)[0], "helper"));
    run.next("").signal(Signal::HUP).wait_for("has not ended within 300 ms, and is killed");
    run.wait_for("was killed by signal 9; child 2 (pid");
    assert_ne!(run.answering(), old);
    assert!(eventually(LONG, || !Proc::of(helper).runs()));
}

#[test]
fn an_old_child_that_dies_during_the_replacement_is_survived_by_the_new_one() {
    let run = Run::start(&["--ready-after", "1s"], "");
    let old = run.answering();
    run.signal(Signal::HUP).wait_for("child 2 is started (pid");
    kill(old);
    run.wait_for("by itself").wait_for("child 2 (pid");
    let ready = || run.server.stderr().matches("is ready after").count() == 2;
    assert!(eventually(LONG, ready), "{}", run.server.transcript());
    assert_ne!(run.answering(), old);
    run.signal(Signal::TERM);
    assert_eq!(run.code(), Some(0));
}

#[test]
fn where_both_die_the_code_is_that_of_the_one_that_served() {
    let run = Run::start(&["--ready-after", "1s"], "");
    let old = run.answering();
    run.script().write_shell("sleep 0.7; exit 5");
    run.signal(Signal::HUP).wait_for("child 2 is started (pid");
    kill(old);
    assert_eq!(run.code(), Some(137), "{}", run.server.transcript());
    assert!(run.line("the replacement failed").ends_with("nobody is left"));
}

/// A process that is ours: a child of what we started.
fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}
