//! Guarantee 7: a restart is invisible. Real processes, real signals.

#![allow(missing_docs, reason = "a test program")]

mod restart_kit;

use std::time::Duration;

use lameduck_testkit::{Client, Server, Signal, eventually, pause};
use restart_kit::{
    SECOND, Target, answered, get, idle, sleeper, target, with_admin, without_restart_lines,
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_successor_takes_over_idle_busy_and_half_heard_connections() {
    let target = target().start();
    let mut kept: Vec<Client> = (0..100).map(|_| idle(target.addr())).collect();
    let mut silent: Vec<Client> = (0..5).map(|_| target.connect()).collect();
    let mut half = target.connect();
    half.send(b"GET / HT").expect("sent");
    let mut busy = target.connect();
    busy.get("/sleep?ms=600").expect("sent");
    pause(100 * MS);

    let first = target.pid();
    let second = target.restart();
    assert_ne!(first, second);
    for client in kept.iter_mut().chain(&mut silent) {
        client.get("/").expect("the connection is the old one");
        assert!(!answered(client).says_close());
    }
    half.send(b"TP/1.1\r\nHost: test\r\n\r\n").expect("the connection is the old one");
    assert!(!answered(&mut half).says_close());
    let response = answered(&mut busy);
    assert!(!response.says_close(), "a busy connection is passed on when it falls idle");
    target.wait_for_end_of(first);
    busy.get("/").expect("the connection is the old one");
    answered(&mut busy);

    let report = target.report_of(first);
    assert_eq!(report["cause"]["kind"], "restart", "{report}");
    assert_eq!(report["cause"]["successor"], second, "{report}");
    assert_eq!((&report["exit_code"], &report["outcome"]), (&0.into(), &"clean".into()));
    assert_eq!(report["connections"]["passed_on"], 107, "{report}");
    assert_eq!(report["connections"]["cut"], 0, "{report}");
    target.stop();
}

#[test]
fn several_restarts_in_a_row_keep_one_connection() {
    let target = target().start();
    let mut client = idle(target.addr());
    let mut pids = vec![target.pid()];
    for _ in 0..5 {
        let pid = target.restart();
        assert!(!pids.contains(&pid), "{pid} of {pids:?}");
        pids.push(pid);
        client.get("/").expect("the connection is the old one");
        answered(&mut client);
        target.wait_for("is done,", pids.len() - 1);
    }
    target.stop();
}

#[test]
fn the_admin_listener_answers_for_the_one_process_that_serves() {
    let (command, admin) = with_admin(target());
    let target = command.start();
    let mut probe = Client::connect(admin).expect("the admin listener");
    probe.get("/readyz").expect("sent");
    answered(&mut probe);
    target.restart();
    // Connections of an old one end, so that nobody reads the 503 of a process that has been replaced.
    assert!(probe.closed_cleanly(5 * SECOND), "{}", target.log());
    for _ in 0..20 {
        assert_eq!(get(admin, "/readyz").status, 200);
        pause(10 * MS);
    }
    target.stop();
}

#[test]
fn two_signals_at_once_are_one_restart_and_a_second_one_is_refused() {
    let target = target().env("START_MS", "700").start_slow();
    target.signal(Signal::USR2);
    pause(50 * MS);
    target.signal(Signal::USR2);
    target.wait_for("no restart: another restart is under way", 1);
    target.wait_for("handed over to process", 1);
    assert_eq!(target.count("the successor is process"), 1, "{}", target.log());
    target.stop();
}

#[test]
fn a_successor_that_exits_at_once_changes_nothing() {
    let target = target().program_that("exit 7").start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("exited with code 7; look at its log", 1);
    client.get("/").expect("sent");
    answered(&mut client);
    assert_eq!(get(target.addr(), "/").status, 200);
    let report = target.stop();
    assert_eq!(report["restarts_failed"], 1, "{report}");
    assert_eq!(report["outcome"], "clean");
}

#[test]
fn a_successor_that_is_never_ready_is_ended() {
    let target = target().env("START_WITHIN_MS", "500").program_that("exec sleep 600").start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("was not ready within 500 ms", 1);
    client.get("/").expect("sent");
    answered(&mut client);
    let pid = target.successor();
    assert!(eventually(5 * SECOND, || !restart_kit::is_alive(pid)), "{}", target.log());
    target.stop();
}

#[test]
fn a_program_that_cannot_be_started_is_said_and_changes_nothing() {
    let target = target().program_that("exit 0").start();
    target.remove_program();
    target.signal(Signal::USR2);
    target.wait_for("restart failed, this process serves on: cannot start", 1);
    assert_eq!(get(target.addr(), "/").status, 200);
    target.stop();
}

#[test]
fn a_stop_before_the_successor_is_ready_ends_both() {
    let target = target().program_that("exec sleep 600").start();
    let mut client = idle(target.addr());
    target.signal(Signal::USR2);
    target.wait_for("the successor is process", 1);
    let pid = target.successor();
    let mut busy = sleeper(target.addr(), 400);
    pause(100 * MS);
    target.signal(Signal::TERM);
    answered(&mut busy);
    let report = target.exit(0);
    assert_eq!(report["cause"]["name"], "SIGTERM", "{report}");
    assert_eq!(report["outcome"], "clean");
    assert!(!restart_kit::is_alive(pid), "the successor lives on");
    assert!(client.closed_cleanly(SECOND));
}

#[test]
fn a_stop_of_the_predecessor_after_the_commit_leaves_the_successor_alone() {
    let target = target().start();
    let mut socket = sleeper(target.addr(), 1500);
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("serves;", 1);
    restart_kit::kill(first, Signal::TERM);
    answered(&mut socket);
    target.wait_for_end_of(first);
    let report = target.report_of(first);
    assert_eq!(report["cause"]["kind"], "restart", "{report}");
    assert_eq!(report["outcome"], "clean", "{report}");
    target.adopt_successor();
    assert_eq!(get(target.addr(), "/").status, 200);
    target.stop();
}

#[test]
fn a_successor_killed_after_the_commit_is_replaced_by_its_predecessor() {
    let target = target().start();
    let mut kept: Vec<Client> = (0..50).map(|_| idle(target.addr())).collect();
    // Holds the hand-over open.
    let mut busy = sleeper(target.addr(), 2000);
    target.signal(Signal::USR2);
    target.wait_for("serves;", 1);
    restart_kit::kill(target.successor(), Signal::KILL);
    target.wait_for("restart failed after", 1);
    assert_eq!(target.count("50 connections taken back"), 1, "{}", target.log());
    for client in &mut kept {
        client.get("/").expect("the connection is the old one");
        answered(client);
    }
    assert_eq!(get(target.addr(), "/").status, 200);
    answered(&mut busy);
    let report = target.stop();
    assert_eq!(report["restarts_failed"], 1);
    assert!(without_restart_lines(&target).contains("was killed by signal 9"));
}

#[test]
fn a_predecessor_killed_after_the_commit_leaves_the_service_to_its_successor() {
    let target = target().start();
    let mut client = idle(target.addr());
    let _busy = sleeper(target.addr(), 5000);
    let first = target.pid();
    target.signal(Signal::USR2);
    target.wait_for("serves;", 1);
    restart_kit::kill(first, Signal::KILL);
    target.adopt_successor();
    client.get("/").expect("sent");
    answered(&mut client);
    assert_eq!(get(target.addr(), "/").status, 200);
    target.wait_for("is done,", 1);
    // And it can be restarted itself.
    target.restart();
    client.get("/").expect("sent");
    answered(&mut client);
    target.stop();
}

fn _uses(_: Option<(Server, Target)>) {}
