//! The exit code says how the service ended, and the report says the same.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use lameduck_testkit::{KeepAlive, Signal, pause};
use serde_json::json;

use fixture::{
    SECOND, asking, ended, fixture, get, in_flight, in_order, part, phases, serving, status, stuck,
    with_admin,
};

#[test]
fn code_0_nothing_lost_and_everything_closed() {
    let server = serving(fixture(&["resource=db", "worker=mail:ok:db", "http"]));
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 0, "clean");
    assert_eq!((&report["service"], &report["version"]), (&json!("fixture"), &json!("1.2.3")));
    assert_eq!(report["pid"], server.pid());
    assert_eq!(report["stuck"], json!([]));
    for name in ["db", "mail", "public"] {
        assert_eq!(part(&report, name)["state"], "done", "{name}");
    }
}

#[test]
fn code_0_although_a_handler_panicked() {
    let server = serving(fixture(&["http"]));
    let mut client = asking(server.addr(), "/panic");
    let response = client.read_response().expect("a whole response");
    assert_eq!(response.status, 500);
    assert!(!response.text().contains("division"), "the message is the service's own");
    assert_eq!(status(server.addr(), "/"), Some(200));
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 0, "clean");
    assert_eq!(report["panics"]["count"], 1);
    let said = report["panics"]["first"][0].as_str().expect("the panic is told");
    assert!(said.contains("/panic") && said.contains("division by zero"), "{said}");
}

#[test]
fn code_1_a_worker_that_fails_or_panics_brings_the_service_down_in_order() {
    for (how, state, said) in
        [("fail", "failed", "no mail server"), ("panic", "panicked", "an item without an address")]
    {
        let worker = format!("worker=mail:{how}:db");
        let (command, admin) = with_admin(fixture(&["resource=db", &worker, "http"]));
        let server = serving(command.env("LAMEDUCK_LAME_DUCK", "60s"));
        let load = KeepAlive::new(server.addr()).clients(10).expect("OK").start();
        load.flowing(50);
        let mut client = asking(server.addr(), "/sleep?ms=700");
        in_flight_at_least_one(admin);
        let at = std::time::Instant::now();
        assert_eq!(status(server.addr(), "/send?n=1"), Some(200));
        load.signalled(at);
        assert_eq!(client.read_response().expect("the request in flight is answered").status, 200);
        let exit = server.wait_exit(20 * SECOND);
        let tally = load.wait(10 * SECOND);
        assert_eq!(tally.failed() + tally.turned_away, 0, "{tally}");
        let report = ended(&exit, 1, "failed");
        assert_eq!(
            (&report["cause"]["kind"], &report["cause"]["part"]),
            (&json!("failure"), &json!("mail"))
        );
        assert!(report["cause"]["message"].as_str().is_some_and(|text| text.contains(said)));
        assert_eq!(part(&report, "mail")["state"], state);
        assert!(
            part(&report, "mail")["place"]
                .as_str()
                .is_some_and(|place| place.contains("parts.rs:"))
        );
        // A service that has failed has no use for a lame duck.
        assert_eq!(phases(&report), ["draining", "finishing", "closing"]);
        assert!(in_order(&exit.stdout, &["db closing", "db closed"]), "{}", exit.stdout);
    }
}

fn in_flight_at_least_one(admin: std::net::SocketAddr) {
    let seen = lameduck_testkit::eventually(5 * SECOND, || {
        let text = get(admin, "/metrics").map(|response| response.text().into_owned());
        text.is_ok_and(|text| {
            fixture::metric(&text, "lameduck_connections{state=\"in_flight\"}") >= Some(1.0)
        })
    });
    assert!(seen);
    pause(std::time::Duration::from_millis(100));
}

#[test]
fn code_1_a_resource_that_fails_to_close_and_the_others_close_all_the_same() {
    for (how, state, said) in
        [("fail", "failed", "the disk is full"), ("panic", "panicked", "closed twice")]
    {
        let cache = format!("resource=cache:{how}:db");
        let server = serving(fixture(&["resource=db", &cache, "http"]));
        server.signal(Signal::TERM);
        let exit = server.wait_exit(10 * SECOND);
        let report = ended(&exit, 1, "failed");
        assert_eq!(report["cause"]["name"], "SIGTERM");
        let cache = part(&report, "cache");
        assert_eq!((&cache["state"], &cache["detail"]), (&json!(state), &json!(said)));
        assert_eq!(part(&report, "db")["state"], "done");
        assert!(
            in_order(&exit.stdout, &["cache closing", "db closing", "db closed"]),
            "{}",
            exit.stdout
        );
    }
}

#[test]
fn a4_code_75_a_request_that_did_not_end_within_the_drain() {
    let (command, admin) = with_admin(fixture(&["resource=db", "http"]));
    let server = serving(command.env("LAMEDUCK_DRAIN", "400ms"));
    let mut client = asking(server.addr(), "/sleep?ms=60000");
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    let response = client.read_response().expect("a whole 503");
    assert_eq!((response.status, response.says_close()), (503, true));
    assert_eq!(response.header("retry-after"), Some("1"));
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75, "forced");
    assert_eq!(report["requests"]["answered_503"], 1);
    let one = stuck(&report, "request", "GET /sleep");
    assert!(
        one["doing"].as_str().is_some_and(|text| text.contains("waiting for the bank")),
        "{one}"
    );
    assert!(one["age_ms"].as_f64().is_some_and(|age| age >= 400.0), "{one}");
    assert_eq!(one["place"].as_str(), client.local_addr().map(|addr| addr.to_string()).as_deref());
    assert!(exit.stdout.contains("db closed"), "resources close also after a forced drain");
}

#[test]
fn a4_code_75_goes_before_code_1() {
    let (command, admin) = with_admin(fixture(&["resource=db:fail", "http"]));
    let server = serving(command.env("LAMEDUCK_DRAIN", "300ms"));
    let _waiting = asking(server.addr(), "/hang");
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    let report = ended(&server.wait_exit(10 * SECOND), 75, "forced");
    assert_eq!(part(&report, "db")["state"], "failed");
}

#[test]
fn a4_code_75_a_worker_a_shield_or_a_resource_that_does_not_end() {
    for (words, path, kind, name) in [
        (["worker=mail:hang", "http"], "/", "worker", "mail"),
        (["worker=mail:block", "http"], "/", "worker", "mail"),
        (["resource=db:hang", "http"], "/", "resource", "db"),
        (["resource=db:block", "http"], "/", "resource", "db"),
        (["quiet", "http"], "/shield?ms=60000", "shield", "charge"),
        (["quiet", "http"], "/shield-block", "shield", "charge"),
    ] {
        let server = serving(fixture(&words).env("LAMEDUCK_DRAIN", "300ms"));
        let client = asking(server.addr(), path);
        if kind == "shield" {
            server.wait_for_stdout("shield began", 5 * SECOND);
        }
        let signal = server.signal(Signal::TERM);
        let exit = server.wait_exit(10 * SECOND);
        drop(client);
        let report = ended(&exit, 75, "forced");
        // 300 + 500 + 500 + 200 ms, and room.
        assert!(exit.at - signal < 3 * SECOND, "{words:?}: {:?}", exit.at - signal);
        let one = stuck(&report, kind, name);
        let place = one["place"].as_str().expect("a source line");
        let (file, line) = place.split_once(".rs:").expect("file and line");
        let file_is = if kind == "shield" { "fixture/routes" } else { "fixture/parts" };
        assert!(
            file.ends_with(file_is) && line.starts_with(|c: char| c.is_ascii_digit()),
            "{place}"
        );
        assert!(one["age_ms"].as_f64().is_some_and(|age| age > 0.0));
    }
}

#[test]
fn code_75_a_resource_that_outlasts_its_own_limit_and_what_it_used_still_closes() {
    // 1. `cache` uses `db`, has 100 ms of its own to close, and never does.
    // 2. The service stops, with 20 s for closing: no deadline of a phase passes.
    // 3. `cache` was abandoned, which is 75 and names it; it was told as failed, 1, and not as stuck.
    let server = serving(
        fixture(&["resource=db", "resource=cache:limited:db", "http"]).env("LAMEDUCK_CLOSE", "20s"),
    );
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(15 * SECOND);
    assert!(exit.at - signal < 5 * SECOND, "its limit is 100 ms");
    let report = ended(&exit, 75, "forced");
    assert_eq!(part(&report, "cache")["state"], "abandoned");
    let one = stuck(&report, "resource", "cache");
    assert!(one["place"].as_str().is_some_and(|place| place.contains("parts.rs:")));
    assert!(exit.stdout.contains("db closed"), "{}", exit.stdout);
}

#[test]
fn a_main_that_lingers_cannot_hold_the_exit() {
    let server = serving(fixture(&["http", "linger=60000"]).env("LAMEDUCK_DRAIN", "500ms"));
    let signal = server.signal(Signal::TERM);
    let exit = server.wait_exit(15 * SECOND);
    assert!(exit.stdout.contains("returned"), "run returns");
    // 500 + 500 + 500 + 200 ms, and room.
    assert!(exit.at - signal < 3 * SECOND, "{:?}", exit.at - signal);
    ended(&exit, 0, "clean");
}

#[test]
fn an_interrupt_forces_a_main_that_lingers() {
    // 1. The service has stopped, its report is written, and `run` has returned.
    // 2. `main` goes on: somebody presses Ctrl-C.
    // 3. The handler was still installed and nobody looked: the process went on until its last deadline.
    let server = serving(fixture(&["http", "linger=60000"]).env("LAMEDUCK_DRAIN", "30s"));
    server.signal(Signal::TERM);
    server.wait_for_stdout("returned", 5 * SECOND);
    pause(std::time::Duration::from_millis(400));
    server.signal(Signal::TERM);
    pause(std::time::Duration::from_millis(100));
    assert!(server.runs(), "a repeated SIGTERM changes nothing here either");
    let again = server.signal(Signal::INT);
    let exit = server.wait_exit(10 * SECOND);
    assert_eq!(exit.code, Some(130));
    assert!(exit.at - again < SECOND);
    assert_eq!(exit.report()["outcome"], "clean");
}

#[test]
fn what_main_does_after_run_is_done_and_the_code_is_its_own() {
    let server = serving(fixture(&["http", "linger=200"]));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(15 * SECOND);
    ended(&exit, 0, "clean");
    assert!(exit.stdout.contains("returned"));
}

#[test]
fn the_report_is_handed_to_the_callback_and_written_to_the_file() {
    let file = std::env::temp_dir().join(format!("lameduck-report-{}", std::process::id()));
    let server = serving(fixture(&["http", "report"]).env("LAMEDUCK_REPORT", &file));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 0, "clean");
    assert!(exit.stdout.contains("report 0"));
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let _ = std::fs::remove_file(&file);
    let written: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(written, report);
    assert!(text.ends_with('\n') && text.lines().count() == 1);
}
