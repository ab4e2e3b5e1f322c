//! Timers, consumers, workers and blocking work in a real process: they end in order, and who does not is named.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{Client, Server, Signal, eventually, pause};
use serde_json::Value;

use fixture::{
    SECOND, asking, ended, fixture, get, in_flight, in_order, metric, part, serving, status, stuck,
    with_admin,
};

const MILLIS: Duration = Duration::from_millis(1);

/// What a busy machine may add to a time that was measured from outside.
const ROOM: Duration = Duration::from_millis(800);

/// What `/tasks` says of one.
#[track_caller]
fn task(admin: SocketAddr, name: &str) -> Value {
    let response = get(admin, "/tasks").expect("an answer");
    assert_eq!(response.header("content-type"), Some("application/json"));
    let all: Value = serde_json::from_str(&response.text()).expect("JSON");
    let tasks = all["tasks"].as_array().expect("a list");
    let found = tasks.iter().find(|task| task["name"] == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {all}")).clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn lines(server: &Server, wanted: &str) -> usize {
    server.stderr().lines().filter(|line| line.contains(wanted)).count()
}

#[test]
fn b7_timers_and_consumers_stop_before_workers_and_these_before_resources() {
    let words = [
        "resource=db",
        "worker=mail:ok:db",
        "every=settle:slow:db",
        "consume=orders:slow:db",
        "http",
    ];
    let server = serving(fixture(&words));
    server.wait_for_stdout("settle run 1", 5 * SECOND);
    server.wait_for_stdout("orders took 1", 5 * SECOND);
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 0, "clean");
    // What was under way has ended, and nothing was begun after the signal.
    for (begun, done) in [("settle run", "settle ended"), ("orders took", "orders handled")] {
        let begun: Vec<&str> = exit.stdout.lines().filter_map(|l| l.strip_prefix(begun)).collect();
        let done: Vec<&str> = exit.stdout.lines().filter_map(|l| l.strip_prefix(done)).collect();
        assert_eq!(begun, done, "{}", exit.stdout);
    }
    for last in ["settle ended 1", "orders handled 1"] {
        assert!(in_order(&exit.stdout, &[last, "db closing", "db closed"]), "{}", exit.stdout);
    }
    assert!(in_order(&exit.stdout, &["mail ended", "db closing"]), "{}", exit.stdout);
    // A run takes 700 ms, and nothing else was waited for.
    assert!(exit.at - signal < 1500 * MILLIS + ROOM, "{:?}", exit.at - signal);
    for (name, tier) in [("settle", "source"), ("orders", "source"), ("mail", "worker")] {
        let part = part(&report, name);
        assert_eq!((text(&part["state"]), text(&part["tier"])), ("done", tier));
        assert!(text(&part["place"]).contains("parts.rs:"), "{part}");
    }
}

#[test]
fn a_long_job_stops_at_a_safe_point_and_says_where() {
    let (command, admin) = with_admin(fixture(&["every=reindex:long", "http"]));
    let server = serving(command);
    assert!(
        eventually(5 * SECOND, || task(admin, "reindex")["progress"]["done"].as_u64() > Some(5))
    );
    assert_eq!(task(admin, "reindex")["progress"]["of"], 500);
    let metrics = get(admin, "/metrics").expect("metrics").text().into_owned();
    let of = "lameduck_task_progress_of{task=\"reindex\",kind=\"timer\"}";
    assert_eq!(metric(&metrics, of), Some(500.0), "{metrics}");
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let detail = part(&ended(&exit, 0, "clean"), "reindex")["detail"].clone();
    let (done, note) = text(&detail).split_once(" of 500, stopped before page ").expect("where");
    let (done, note): (u32, u32) = (done.parse().unwrap(), note.parse().unwrap());
    assert_eq!(done + 1, note, "{detail}");
}

#[test]
fn a9_a_task_that_does_not_keep_its_promise_is_hung_and_one_that_is_only_slow_is_not() {
    // `sync` promised nothing and hangs all the same; `settle` promised to beat within 400 ms and is hung from its
    // third run on; `idle` promised the same, and waits for items.
    let words =
        ["every=sync:hang", "promise=400", "livez", "worker=idle", "every=settle:hang", "http"];
    let (command, admin) = with_admin(fixture(&words));
    let server = serving(command.env("LAMEDUCK_DRAIN", "400ms"));
    assert!(eventually(10 * SECOND, || task(admin, "settle")["state"] == "hung"));
    let settle = task(admin, "settle");
    assert_eq!(settle["kind"], "timer");
    assert_eq!(settle["note"], "waiting for the bank");
    assert!(settle["beat_ms"].as_f64() > Some(400.0), "{settle}");
    assert!(text(&settle["place"]).contains("parts.rs:"), "{settle}");
    for name in ["sync", "idle"] {
        assert_eq!(task(admin, name)["state"], "running", "{name}");
    }
    assert!(task(admin, "sync")["busy_ms"].as_f64() > Some(300.0), "its age is shown");
    assert_eq!(task(admin, "idle")["busy_ms"], Value::Null);

    let metrics = get(admin, "/metrics").expect("metrics").text().into_owned();
    for (name, value) in [
        ("lameduck_task_hung{task=\"settle\",kind=\"timer\"}", Some(1.0)),
        ("lameduck_task_hung{task=\"idle\",kind=\"worker\"}", Some(0.0)),
        ("lameduck_task_hung{task=\"sync\",kind=\"timer\"}", None),
        ("lameduck_tasks{state=\"hung\"}", Some(1.0)),
    ] {
        assert_eq!(metric(&metrics, name), value, "{name}\n{metrics}");
    }
    assert_eq!((status(admin, "/livez"), status(admin, "/readyz")), (Some(503), Some(200)));
    let table = get(admin, "/tasks?format=text").expect("a table").text().into_owned();
    let line = table.lines().nth(1).expect("what is hung comes first");
    assert!(line.contains("settle") && line.contains("hung"), "{table}");
    // Said once per episode, with name and place.
    pause(1500 * MILLIS);
    server.wait_for_stderr("timer `settle`", 5 * SECOND);
    assert_eq!(lines(&server, "is hung"), 1, "{}", server.stderr());
    assert!(server.stderr().contains("parts.rs:"), "{}", server.stderr());

    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 75, "forced");
    let settle = stuck(&report, "source", "settle");
    assert!(text(&settle["doing"]).starts_with("hung, no beat for "), "{settle}");
    assert!(text(&settle["doing"]).ends_with(": waiting for the bank"), "{settle}");
    let sync = stuck(&report, "source", "sync");
    assert!(text(&sync["doing"]).starts_with("its run has not ended"), "{sync}");
}

#[test]
fn a9_a_hung_task_that_beats_again_is_told_so() {
    let (command, admin) = with_admin(fixture(&["promise=500", "every=settle:pause", "http"]));
    let server = serving(command);
    server.wait_for_stderr("is hung: no beat", 10 * SECOND);
    // Not chosen for this one.
    assert_eq!(status(admin, "/livez"), Some(200));
    server.wait_for_stderr("is not hung any more", 10 * SECOND);
    assert!(eventually(5 * SECOND, || task(admin, "settle")["state"] == "running"));
    assert_eq!(lines(&server, "is hung:"), 1);
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn b9_old_code_that_a_request_left_behind_is_named_with_what_its_thread_does() {
    let (command, admin) = with_admin(fixture(&["resource=db", "http"]));
    let server = serving(command.env("LAMEDUCK_DRAIN", "400ms"));
    assert_eq!(status(server.addr(), "/leave-old"), Some(200));
    // The answer does not wait for the thread, which may not have begun yet.
    assert!(eventually(5 * SECOND, || task(admin, "old code")["state"] == "running"));
    assert_eq!(task(admin, "old code")["kind"], "blocking");
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75, "forced");
    // The drain's 400 ms, and what follows does not wait for it.
    assert!(exit.at - signal < 600 * MILLIS + ROOM, "{:?}", exit.at - signal);
    let old = stuck(&report, "blocking", "old code");
    assert!(text(&old["place"]).contains("routes.rs:"), "{old}");
    let doing = text(&old["doing"]);
    assert!(doing.starts_with("started by request GET /leave-old; its thread "), "{doing}");
    assert!(doing.contains(" is asleep"), "{doing}");
    assert!(doing.ends_with(" of processor time since the signal"), "{doing}");
    assert_eq!(part(&report, "db")["state"], "done", "the resources close all the same");
}

#[test]
fn b9_old_code_of_a_worker_has_the_finish_budget_too() {
    let server = serving(
        fixture(&["worker=mail:aside", "http"])
            .env("LAMEDUCK_DRAIN", "300ms")
            .env("LAMEDUCK_FINISH", "500ms"),
    );
    assert_eq!(status(server.addr(), "/send?n=1"), Some(200));
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75, "forced");
    assert!(exit.at - signal >= 800 * MILLIS, "{:?}", exit.at - signal);
    assert!(exit.at - signal < 1000 * MILLIS + ROOM, "{:?}", exit.at - signal);
    let old = stuck(&report, "blocking", "old code");
    assert!(text(&old["doing"]).starts_with("started by worker `mail`"), "{old}");
    stuck(&report, "worker", "mail");
}

#[test]
fn b9_old_code_that_looks_at_cancellation_ends_with_its_request() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command.env("LAMEDUCK_DRAIN", "400ms").env("LAMEDUCK_FINISH", "5s"));
    let mut client = asking(server.addr(), "/old-heeds");
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    assert_eq!(client.read_response().expect("a whole 503").status, 503);
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 75, "forced");
    assert!(exit.stdout.contains("old code ended"), "{}", exit.stdout);
}

#[test]
fn b9_a_thread_of_the_runtime_that_runs_nothing_of_the_service_is_found() {
    let server = serving(
        fixture(&["spin", "every=settle:hang", "http"])
            .env("TOKIO_WORKER_THREADS", "3")
            .env("LAMEDUCK_DRAIN", "1s"),
    );
    server.wait_for_stdout("settle run 3", 10 * SECOND);
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 75, "forced");
    let thread = stuck(&report, "thread", "fixture-worker");
    assert!(text(&thread["place"]).starts_with("runtime thread "), "{thread}");
    assert!(text(&thread["doing"]).contains("runs nothing that was declared"), "{thread}");
    assert!(thread["age_ms"].as_f64() > Some(900.0), "{thread}");
}

#[test]
fn five_culprits_are_named_and_the_exit_is_at_the_deadline() {
    let words = ["resource=db:hang", "promise=300", "every=settle:hang", "worker=mail", "http"];
    let (command, admin) = with_admin(fixture(&words));
    let command = command
        .env("TOKIO_WORKER_THREADS", "4")
        .env("LAMEDUCK_DRAIN", "1500ms")
        .env("LAMEDUCK_FINISH", "300ms")
        .env("LAMEDUCK_CLOSE", "400ms");
    let server = serving(command);
    assert_eq!(status(server.addr(), "/leave-old"), Some(200));
    let _never = asking(server.addr(), "/hang");
    assert!(eventually(10 * SECOND, || task(admin, "settle")["state"] == "hung"));
    in_flight(admin, 1);
    let _spinning = asking(server.addr(), "/spin?ms=60000");
    pause(300 * MILLIS);
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75, "forced");
    let took = exit.at - signal;
    assert!(took >= 1900 * MILLIS && took <= 2400 * MILLIS + ROOM, "{took:?}");

    let hung = stuck(&report, "source", "settle");
    assert!(text(&hung["place"]).contains("parts.rs:"), "{hung}");
    assert!(text(&hung["doing"]).starts_with("hung, no beat for"), "{hung}");
    let old = stuck(&report, "blocking", "old code");
    assert!(text(&old["place"]).contains("routes.rs:"), "{old}");
    assert!(text(&old["doing"]).contains("asleep"), "{old}");
    let spin = stuck(&report, "request", "GET /spin");
    let doing = text(&spin["doing"]);
    assert!(doing.starts_with("in the handler; has blocked thread "), "{doing}");
    assert!(doing.contains("which is busy,") || doing.contains("which is running,"), "{doing}");
    let never = stuck(&report, "request", "GET /hang");
    assert_eq!(never["doing"], "in the handler");
    let db = stuck(&report, "resource", "db");
    assert!(text(&db["place"]).contains("parts.rs:"), "{db}");
    assert_eq!(db["doing"], "has not closed");
    for one in [&hung, &old, &spin, &never, &db] {
        assert!(one["age_ms"].as_f64() > Some(300.0), "{one}");
    }
    assert_eq!(report["stuck"].as_array().map(Vec::len), Some(5), "{report}");
}

#[test]
fn every_panic_is_told_with_its_message_and_nothing_else_is_lost() {
    let words = [
        "resource=db",
        "resource=cache:panic:db",
        "on-failure=ignore",
        "every=settle:panic:db",
        "consume=orders:panic:db",
        "worker=mail:panic:db",
        "http",
    ];
    let server = serving(fixture(&words));
    assert_eq!(status(server.addr(), "/panic"), Some(500));
    assert_eq!(
        get(server.addr(), "/old-panic").expect("an answer").text(),
        "the blocking work panicked: not a number"
    );
    assert_eq!(status(server.addr(), "/send?n=1"), Some(200));
    // It goes on: later runs, later messages, later requests.
    server.wait_for_stdout("settle ended 5", 10 * SECOND);
    server.wait_for_stdout("orders handled 5", 10 * SECOND);
    assert_eq!(status(server.addr(), "/"), Some(200));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    // The close is the only one whose failure is the service's.
    let report = ended(&exit, 1, "failed");
    for (name, state, said) in [
        ("settle", "done", "failed once: panicked: a settlement without a day"),
        ("orders", "done", "failed once: panicked: an order from nobody"),
        ("mail", "panicked", "an item without an address"),
        ("cache", "panicked", "closed twice"),
        ("db", "done", ""),
    ] {
        let part = part(&report, name);
        assert_eq!((text(&part["state"]), text(&part["detail"])), (state, said), "{part}");
    }
    let panics: Vec<&str> =
        report["panics"]["first"].as_array().into_iter().flatten().map(text).collect();
    assert!(panics.iter().any(|said| said.ends_with("division by zero")), "{panics:?}");
    assert!(panics.iter().any(|said| said.ends_with("not a number")), "{panics:?}");
}

#[test]
fn a_timer_or_a_consumer_that_fails_or_panics_brings_the_service_down_in_order() {
    for (word, said) in [
        ("every=jobs:fail", "no rate for EUR"),
        ("every=jobs:panic", "panicked: a settlement without a day"),
        ("consume=jobs:fail", "an order without items"),
        ("consume=jobs:panic", "panicked: an order from nobody"),
    ] {
        let server = fixture(&["resource=db", word, "http"]).start();
        let exit = server.wait_exit(20 * SECOND);
        let report = ended(&exit, 1, "failed");
        assert_eq!(report["cause"]["part"], "jobs", "{report}");
        assert_eq!(report["cause"]["message"], said, "{report}");
        assert!(in_order(&exit.stdout, &["db closing", "db closed"]), "{}", exit.stdout);
    }
}

#[test]
fn a_worker_that_is_restarted_goes_on_with_what_is_in_its_queue() {
    let (command, admin) =
        with_admin(fixture(&["on-failure=restart", "worker=mail:panic", "http"]));
    let server = serving(command);
    assert_eq!(status(server.addr(), "/send?n=3"), Some(200));
    // It panics at each item, and takes the next one after its pause.
    assert!(eventually(10 * SECOND, || task(admin, "mail")["failures"] == 3));
    let mail = task(admin, "mail");
    assert_eq!(mail["last_failure"], "panicked: an item without an address");
    // The log is written by another thread.
    let told = eventually(5 * SECOND, || lines(&server, "failed, goes on in") == 3);
    assert!(told, "{}", server.stderr());
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 0, "clean");
    let mail = part(&report, "mail");
    assert_eq!(mail["state"], "done");
    assert!(text(&mail["detail"]).starts_with("failed 3 times, the last time: panicked"), "{mail}");
}

#[test]
fn a_close_that_blocks_its_thread_is_left_behind_at_its_own_time() {
    // 1. `cache` uses `db`, has 100 ms of its own to close, and blocks its thread.
    // 2. A timer on that runtime could be held up as well, and `db` would never be closed.
    let command = fixture(&["resource=db", "resource=cache:limited-block:db", "http"])
        .env("TOKIO_WORKER_THREADS", "2")
        .env("LAMEDUCK_CLOSE", "20s");
    let server = serving(command);
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(15 * SECOND);
    let report = ended(&exit, 75, "forced");
    assert!(exit.at - signal < 2 * SECOND + ROOM, "{:?}", exit.at - signal);
    assert_eq!(part(&report, "db")["state"], "done");
    let cache = stuck(&report, "resource", "cache");
    let doing = text(&cache["doing"]);
    assert!(doing.starts_with("did not close within its 100 ms; has blocked thread "), "{doing}");
    assert!(doing.contains("asleep"), "{doing}");
}

#[test]
fn a_starved_handler_is_told_from_one_that_only_waits() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let command = command.env("TOKIO_WORKER_THREADS", "3").env("LAMEDUCK_DRAIN", "600ms");
    let server = serving(command);
    let _waits = asking(server.addr(), "/hang");
    in_flight(admin, 1);
    let mut starves = Client::connect(server.addr()).expect("a connection");
    starves.get("/starve?ms=60000").expect("sent");
    pause(300 * MILLIS);
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 75, "forced");
    assert_eq!(stuck(&report, "request", "GET /hang")["doing"], "in the handler");
    let starve = stuck(&report, "request", "GET /starve");
    let doing = text(&starve["doing"]);
    assert!(doing.contains("has blocked thread ") && doing.contains("asleep"), "{doing}");
}
