//! Sources, then workers, then resources; users before what they use; the independent side by side.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::time::Duration;

use lameduck_testkit::{Signal, pause};

use fixture::{
    SECOND, asking, ended, fixture, in_flight, in_order, part, serving, status, with_admin,
};

#[test]
fn b7_a_workers_queue_is_worked_off_after_the_last_request_and_before_its_resources_close() {
    let words = ["resource=db", "worker=mail:slow:db", "http"];
    let (command, admin) = with_admin(fixture(&words));
    let server = serving(command.env("LAMEDUCK_FINISH", "5s"));
    let mut client = asking(server.addr(), "/send?n=10&ms=400");
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response().expect("an answer").status, 200);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 0, "clean");
    let mut lines = vec!["sent".to_owned()];
    lines.extend((1..10).map(|item| format!("mail did {item}")));
    lines.extend(["mail ended".to_owned(), "db closing".to_owned(), "db closed".to_owned()]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(in_order(&exit.stdout, &lines), "{}", exit.stdout);
    assert!(exit.stdout.contains("mail did 0"));
    assert_eq!(part(&report, "mail")["state"], "done");
}

#[test]
fn b7_resources_close_in_reverse_order_of_use() {
    let words = ["resource=disk:slow", "resource=db:slow:disk", "resource=cache:slow:db", "http"];
    let server = serving(fixture(&words).env("LAMEDUCK_CLOSE", "5s"));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    let lines =
        ["cache closing", "cache closed", "db closing", "db closed", "disk closing", "disk closed"];
    assert!(in_order(&exit.stdout, &lines), "{}", exit.stdout);
}

#[test]
fn b7_independent_resources_close_side_by_side() {
    // Six of 300 ms each: 1.8 s one after the other, and 500 ms allowed.
    let words: Vec<String> = (0..6).map(|number| format!("resource=r{number}:slow")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["http"]).collect();
    let server = serving(fixture(&words).env("LAMEDUCK_CLOSE", "1500ms"));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    let first_closed = exit.stdout.find(" closed").expect("a resource closed");
    assert_eq!(exit.stdout[..first_closed].matches(" closing").count(), 6, "{}", exit.stdout);
}

#[test]
fn b7_workers_finish_and_resources_close_also_after_a_forced_drain() {
    let words = ["resource=db", "worker=mail:slow:db", "http"];
    let (command, admin) = with_admin(fixture(&words));
    let server = serving(command.env("LAMEDUCK_DRAIN", "500ms").env("LAMEDUCK_FINISH", "5s"));
    let mut hanging = asking(server.addr(), "/hang");
    in_flight(admin, 1);
    assert_eq!(status(server.addr(), "/send?n=14"), Some(200));
    server.signal(Signal::TERM);
    assert_eq!(hanging.read_response().expect("a whole 503").status, 503);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 75, "forced");
    let lines = ["mail did 0", "mail did 13", "mail ended", "db closing", "db closed"];
    assert!(in_order(&exit.stdout, &lines), "{}", exit.stdout);
}

#[test]
fn b7_resources_close_also_after_a_worker_was_abandoned() {
    let words = ["resource=db", "resource=cache:ok:db", "worker=mail:hang:cache", "http"];
    let server = serving(fixture(&words).env("LAMEDUCK_DRAIN", "300ms"));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75, "forced");
    assert!(
        in_order(&exit.stdout, &["cache closed", "db closing", "db closed"]),
        "{}",
        exit.stdout
    );
    assert_eq!(part(&report, "mail")["state"], "abandoned");
    assert_eq!(part(&report, "db")["state"], "done");
}

#[test]
fn what_the_drain_did_not_need_is_there_for_the_workers() {
    // Finish alone is 500 ms; deadlines are absolute, so the drain's 3 s are the worker's too.
    let server = serving(fixture(&["worker=mail:slow", "http"]));
    assert_eq!(status(server.addr(), "/send?n=24"), Some(200));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    assert!(in_order(&exit.stdout, &["mail did 23", "mail ended"]), "{}", exit.stdout);
}

#[test]
fn a3_a_shield_runs_to_its_end_though_its_client_hangs_up() {
    let server = serving(fixture(&["resource=db", "http"]).env("LAMEDUCK_FINISH", "3s"));
    let client = asking(server.addr(), "/shield?ms=900");
    server.wait_for_stdout("shield began", 5 * SECOND);
    drop(client);
    pause(Duration::from_millis(100));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0, "clean");
    assert!(
        in_order(&exit.stdout, &["shield ended", "db closing", "db closed"]),
        "{}",
        exit.stdout
    );
}

#[test]
fn a3_a_shield_outlives_its_request_at_the_drain_deadline_and_may_still_use_a_worker() {
    let words = ["resource=db", "worker=mail:ok:db", "http"];
    let command = fixture(&words).env("LAMEDUCK_DRAIN", "300ms").env("LAMEDUCK_FINISH", "3s");
    let server = serving(command);
    let mut client = asking(server.addr(), "/shield?ms=1000&n=7");
    server.wait_for_stdout("shield began", 5 * SECOND);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response().expect("a whole 503").status, 503);
    let exit = server.wait_exit(10 * SECOND);
    // The request was cut, so the stop was forced; its work was not torn in half.
    ended(&exit, 75, "forced");
    let lines = ["shield ended", "mail ended", "db closing", "db closed"];
    assert!(in_order(&exit.stdout, &lines), "{}", exit.stdout);
    assert!(exit.stdout.contains("mail did 7"), "{}", exit.stdout);
}

#[test]
fn a_shield_that_does_not_end_is_cancelled_at_the_finish_deadline_only() {
    let command = fixture(&["http"]).env("LAMEDUCK_DRAIN", "300ms").env("LAMEDUCK_FINISH", "700ms");
    let server = serving(command);
    let client = asking(server.addr(), "/shield?ms=60000");
    server.wait_for_stdout("shield began", 5 * SECOND);
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    drop(client);
    let report = ended(&exit, 75, "forced");
    assert!(exit.at - signal >= Duration::from_secs(1), "{:?}", exit.at - signal);
    fixture::stuck(&report, "shield", "charge");
}

#[test]
fn who_held_up_the_close_is_told_apart_from_those_who_waited_for_it() {
    // 1. `cache` uses `db` and never closes.
    // 2. At the deadline both are left, `db` without ever having been told to close.
    // 3. The report said of both alike that they were closing.
    let server = serving(
        fixture(&["resource=db", "resource=cache:hang:db", "http"]).env("LAMEDUCK_DRAIN", "300ms"),
    );
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75, "forced");
    assert_eq!(fixture::stuck(&report, "resource", "cache")["doing"], "has not closed");
    assert_eq!(fixture::stuck(&report, "resource", "db")["doing"], "waited for what uses it");
    assert_eq!(report["stuck"][0]["name"], "cache", "the culprit first");
}

#[test]
fn a_worker_that_waited_for_a_shield_is_not_blamed() {
    let server = serving(fixture(&["worker=mail", "http"]).env("LAMEDUCK_DRAIN", "300ms"));
    let client = asking(server.addr(), "/shield?ms=60000");
    server.wait_for_stdout("shield began", 5 * SECOND);
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    drop(client);
    let report = ended(&exit, 75, "forced");
    fixture::stuck(&report, "shield", "charge");
    assert_eq!(fixture::stuck(&report, "worker", "mail")["doing"], "waited for what uses it");
}
