//! The admin listener answers from before the setup runs until the very end.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Signal, eventually, free_port, pause};

use fixture::{
    SECOND, asking, ended, fixture, get, in_flight, metric, serving, status, with_admin,
};

#[test]
fn b8_readiness_is_503_for_the_whole_of_the_stop_until_the_very_end() {
    let words = ["resource=db:hang", "worker=mail:hang", "http"];
    let (command, admin) = with_admin(fixture(&words));
    let server = serving(command.env("LAMEDUCK_LAME_DUCK", "400ms").env("LAMEDUCK_DRAIN", "400ms"));
    let _waiting = asking(server.addr(), "/hang");
    in_flight(admin, 1);
    assert_eq!(status(admin, "/readyz"), Some(200));
    let signal = server.signal(Signal::TERM);
    server.wait_for_stderr("SIGTERM: stopping", 5 * SECOND);

    let (mut phases, mut last) = (Vec::new(), signal);
    while server.runs() {
        // 503 as long as it answers, however often it is asked.
        let Ok(ready) = get(admin, "/readyz") else { continue };
        assert_eq!(ready.status, 503);
        last = ready.at;
        let phase = ready.text().trim().to_owned();
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
        if let Ok(live) = get(admin, "/livez") {
            assert_eq!(live.status, 200);
        }
        if let Ok(started) = get(admin, "/startupz") {
            assert_eq!(started.status, 200);
        }
        pause(Duration::from_millis(3));
    }
    let exit = server.wait_exit(SECOND);
    ended(&exit, 75, "forced");
    assert_eq!(phases[..4], ["lame duck", "draining", "finishing", "closing"], "{phases:?}");
    let silent = exit.at.saturating_duration_since(last);
    assert!(silent < Duration::from_millis(500), "silent for the last {silent:?}");
}

#[test]
fn b8_during_a_long_close_it_still_answers() {
    let (command, admin) = with_admin(fixture(&["resource=db:hang", "http"]));
    let server = serving(command.env("LAMEDUCK_CLOSE", "1500ms").env("LAMEDUCK_DRAIN", "300ms"));
    server.signal(Signal::TERM);
    assert!(eventually(5 * SECOND, || {
        get(admin, "/readyz").is_ok_and(|ready| ready.text().trim() == "closing")
    }));
    // A connection that is kept, as probes keep theirs.
    let mut probe = Client::connect(admin).expect("still accepting");
    let end = Instant::now() + Duration::from_millis(700);
    while Instant::now() < end {
        probe.get("/readyz").expect("sent");
        assert_eq!(probe.read_response().expect("an answer").status, 503);
        pause(Duration::from_millis(20));
    }
    ended(&server.wait_exit(10 * SECOND), 75, "forced");
}

#[test]
fn b8_it_is_bound_before_the_setup_runs() {
    let (command, admin) = with_admin(fixture(&["setup=hang"]));
    let server = command.start();
    server.wait_for_stdout("setup hangs", 5 * SECOND);
    for (path, expected) in
        [("/livez", 200), ("/readyz", 503), ("/startupz", 503), ("/metrics", 200)]
    {
        let response = get(admin, path).expect("an answer");
        assert_eq!(response.status, expected, "{path}");
    }
    assert_eq!(get(admin, "/readyz").expect("an answer").text(), "starting\n");
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn a_start_that_is_given_up_has_not_started() {
    let (command, admin) = with_admin(fixture(&["resource=db:slow", "setup=hang"]));
    let server = command.start();
    server.wait_for_stdout("setup hangs", 5 * SECOND);
    let mut probe = Client::connect(admin).expect("a connection");
    server.signal(Signal::TERM);
    server.wait_for_stdout("db closing", 5 * SECOND);
    probe.get("/startupz").expect("sent");
    let response = probe.read_response().expect("an answer");
    assert_eq!((response.status, response.text().as_ref()), (503, "closing\n"));
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn an_empty_variable_leaves_the_admin_listener_where_the_code_put_it() {
    let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let word = format!("admin={admin}");
    let server = serving(fixture(&["http", &word]).env("LAMEDUCK_ADMIN", ""));
    assert_eq!(get(admin, "/readyz").expect("an answer").status, 200);
    drop(server);
}

#[test]
fn unknown_paths_and_other_methods_are_told_so() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command);
    let response = get(admin, "/healthz").expect("an answer");
    assert_eq!(response.status, 404);
    assert!(response.text().contains("/readyz"), "it says what there is");
    let mut client = Client::connect(admin).expect("a connection");
    for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
        client.post(path, b"{}").expect("sent");
        let response = client.read_response().expect("an answer");
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{path}");
        client
            .send(format!("HEAD {path}?x=1 HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes())
            .expect("sent");
        let response = client.read_response_to("HEAD").expect("an answer");
        assert_eq!((response.status, response.body.len()), (200, 0), "{path}");
    }
    drop(server);
}

#[test]
fn the_same_endpoints_on_a_public_router() {
    let server = serving(fixture(&["http"]).env("LAMEDUCK_LAME_DUCK", "700ms"));
    let addr = server.addr();
    for path in ["/livez", "/readyz", "/startupz", "/metrics"] {
        assert_eq!(status(addr, path), Some(200), "{path}");
    }
    let mut client = Client::connect(addr).expect("a connection");
    client.post("/readyz", b"").expect("sent");
    assert_eq!(client.read_response().expect("an answer").status, 405);
    server.signal(Signal::TERM);
    server.wait_for_stderr("lame duck for", 5 * SECOND);
    let (ready, live) = (status(addr, "/readyz"), status(addr, "/livez"));
    assert_eq!((ready, live), (Some(503), Some(200)));
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn without_an_address_nothing_more_listens() {
    let server = serving(fixture(&["http"]));
    let listening = std::process::Command::new("ss").args(["-Hltnp"]).output();
    if let Ok(listening) = listening {
        let text = String::from_utf8_lossy(&listening.stdout).into_owned();
        let own = format!("pid={},", server.pid());
        assert_eq!(text.lines().filter(|line| line.contains(&own)).count(), 1, "{text}");
    }
}

#[test]
fn the_metrics_tell_the_phase_the_requests_and_the_connections() {
    let (command, admin) = with_admin(fixture(&["http"]));
    let server = serving(command.env("LAMEDUCK_DRAIN", "1s"));
    let addr = server.addr();
    let metrics = || get(admin, "/metrics").expect("an answer").text().into_owned();
    let response = get(admin, "/metrics").expect("an answer");
    let kind = response.header("content-type").expect("a content type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(response.text().ends_with("# EOF\n"), "whole, as OpenMetrics asks");

    let silent = Client::connect(addr).expect("a connection");
    let mut half = Client::connect(addr).expect("a connection");
    half.send(b"GET / HTTP/1.1\r\nHo").expect("sent");
    let mut idle = asking(addr, "/");
    assert_eq!(idle.read_response().expect("an answer").status, 200);
    let active = asking(addr, "/hang");
    let connections = |state: &str| format!("lameduck_connections{{state=\"{state}\"}}");
    let seen = eventually(5 * SECOND, || {
        let text = metrics();
        ["unspoken", "head", "idle", "in_flight"]
            .iter()
            .all(|state| metric(&text, &connections(state)) == Some(1.0))
    });
    let text = metrics();
    assert!(seen, "{text}");
    assert_eq!(metric(&text, "lameduck_requests_in_flight"), Some(2.0), "the half one too: {text}");
    assert_eq!(metric(&text, &connections("upgraded")), Some(0.0));
    let phase = |phase: &str| format!("lameduck_phase{{phase=\"{phase}\"}}");
    assert_eq!(metric(&text, &phase("ready")), Some(1.0));
    assert_eq!(metric(&text, &phase("draining")), Some(0.0));
    assert!(metric(&text, "lameduck_phase_seconds{phase=\"ready\"}") > Some(0.0), "{text}");
    let completed = "lameduck_requests_total{outcome=\"completed\"}";
    let before = metric(&text, completed).expect("a counter");
    for _ in 0..5 {
        assert_eq!(status(addr, "/"), Some(200));
    }
    let counted = eventually(5 * SECOND, || metric(&metrics(), completed) == Some(before + 5.0));
    assert!(counted, "{}", metrics());

    drop((silent, half));
    in_flight(admin, 1);
    server.signal(Signal::TERM);
    server.wait_for_stderr("SIGTERM: stopping", 5 * SECOND);
    let draining = eventually(SECOND, || metric(&metrics(), &phase("draining")) == Some(1.0));
    assert!(draining, "{}", metrics());
    assert!(metric(&metrics(), "lameduck_phase_seconds{phase=\"draining\"}") > Some(0.0));
    let report = ended(&server.wait_exit(10 * SECOND), 75, "forced");
    assert_eq!(report["requests"]["answered_503"], 1);
    drop((active, idle));
}
