//! What the report says about requests and connections, read as a user would: the line of JSON on standard error.

#![allow(missing_docs, reason = "a test program")]

mod target;

use lameduck_testkit::{Client, pause};
use target::{
    SECOND, answered, answered_and_closed, clean, connect, drains_for, forced, idle, ms, start,
    stop, target as command, turned_away,
};

#[test]
fn a_clean_stop_counts_what_it_completed_and_closed() {
    let server = start(command());
    // Before the stop: in no count.
    let mut idle: Vec<Client> = (0..3).map(|_| idle(&server)).collect();
    let mut silent: Vec<Client> = (0..2).map(|_| connect(&server)).collect();
    let mut busy: Vec<Client> = (0..4).map(|_| connect(&server)).collect();
    for client in &mut busy {
        client.get("/sleep?ms=600").unwrap();
    }
    pause(ms(100));
    stop(&server);
    for client in &mut busy {
        answered_and_closed(client);
    }
    for client in idle.iter_mut().chain(&mut silent) {
        assert!(client.closed_cleanly(SECOND));
    }
    let report = clean(&server);
    assert_eq!(report["service"], "target");
    assert_eq!(report["pid"], server.pid());
    assert_eq!(report["cause"]["kind"], "signal");
    assert_eq!(report["cause"]["name"], "SIGTERM");
    assert_eq!(report["requests"]["completed"], 4);
    assert_eq!(report["requests"]["gone"], 0);
    assert_eq!(report["connections"]["closed_idle"], 5);
    assert_eq!(report["connections"]["closed"], 9);
    let phases: Vec<_> = report["phases"].as_array().unwrap().iter().collect();
    assert_eq!(phases[0]["phase"], "draining");
    let took = report["took_ms"].as_f64().unwrap();
    let draining = phases[0]["took_ms"].as_f64().unwrap();
    assert!(draining <= took && draining > 400.0, "{report}");
}

#[test]
fn a_forced_stop_counts_each_way_in_which_a_request_ended() {
    let server = start(drains_for("1s"));
    let mut completes = connect(&server);
    let mut repeatable = connect(&server);
    let mut routed = connect(&server);
    let mut interrupted = connect(&server);
    let mut cut = connect(&server);
    let mut half_head = connect(&server);
    let gone = connect(&server);
    completes.get("/sleep?ms=500").unwrap();
    repeatable.get("/hang?secret=1").unwrap();
    routed.get("/items/4711?secret=1").unwrap();
    interrupted.post("/hang", b"x").unwrap();
    cut.get("/stream?chunks=1000&ms=50").unwrap();
    half_head.send(b"GET /ha").unwrap();
    let mut gone = gone;
    gone.get("/stream?chunks=1000&ms=20").unwrap();
    cut.wait_for("chunk 0001", SECOND).unwrap();
    stop(&server);
    gone.reset();
    answered(&mut completes);
    turned_away(&mut repeatable);
    turned_away(&mut routed);
    turned_away(&mut interrupted);
    turned_away(&mut half_head);
    cut.read_response().unwrap_err();
    let report = forced(&server);
    let requests = &report["requests"];
    assert_eq!(requests["completed"], 1, "{report}");
    assert_eq!(requests["answered_503"], 3, "{report}");
    assert_eq!(requests["interrupted"], 1, "{report}");
    assert_eq!(requests["cut"], 1, "{report}");
    assert_eq!(requests["gone"], 1, "{report}");

    let stuck = report["stuck"].as_array().unwrap();
    let find = |client: &Client| {
        let peer = client.local_addr().unwrap().to_string();
        stuck.iter().find(|one| one["place"] == peer).unwrap_or_else(|| panic!("{peer}: {report}"))
    };
    for (client, name, doing) in [
        (&repeatable, "GET /hang", "in the handler"),
        // By its route: one name for all of its paths.
        (&routed, "GET /items/{id}", "in the handler"),
        (&interrupted, "POST /hang", "in the handler"),
        (&cut, "GET /stream", "writing the response"),
        (&half_head, "(unread)", "reading the head"),
    ] {
        let one = find(client);
        assert_eq!(one["kind"], "request");
        assert_eq!(one["name"], name, "{one}");
        assert_eq!(one["doing"], doing, "{one}");
        let age = one["age_ms"].as_f64().unwrap();
        assert!((900.0..4_000.0).contains(&age), "{one}");
    }
    assert_eq!(stuck.len(), 5, "{report}");
    // Of a request the report knows the path without its query.
    assert!(!server.stderr().contains("secret"), "{}", server.stderr());
}

#[test]
fn a_response_that_its_client_did_not_want_is_gone_and_not_completed() {
    let server = start(command());
    let mut client = connect(&server);
    client.get("/sleep?ms=500").unwrap();
    let mut other = connect(&server);
    other.get("/sleep?ms=800").unwrap();
    pause(ms(100));
    stop(&server);
    client.reset();
    answered_and_closed(&mut other);
    let report = clean(&server);
    assert_eq!(report["requests"]["completed"], 1, "{report}");
    assert_eq!(report["requests"]["gone"], 1, "{report}");
}

#[test]
fn the_report_is_also_written_to_a_file() {
    let path = std::env::temp_dir().join(format!("lameduck-report-{}.json", std::process::id()));
    let server = start(command().env("LAMEDUCK_REPORT", &path));
    stop(&server);
    let report = clean(&server);
    let text = std::fs::read_to_string(&path).unwrap();
    let _ = std::fs::remove_file(&path);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), report);
}
