//! What the tests of Go's net/http assert about `Server.Shutdown`, asserted of lameduck.

#![allow(missing_docs, reason = "a test program")]

mod inside;
mod target;

use std::net::TcpListener;
use std::time::Instant;

use axum::Router;
use axum::routing::{get, post};
use inside::{Inside, budget, runtime};
use lameduck::{Outcome, Service, Setup, StopHandle};
use lameduck_testkit::{Client, Ending, Failure, eventually, free_port, pause};
use target::frames::{GOAWAY, MAX_STREAM, Next, RawHttp2};
use target::{
    ROOM, SECOND, answered, answered_and_closed, clean, connect, ms, start, stop, target as command,
};

/// A service inside this process.
fn serve(router: impl FnOnce(&StopHandle) -> Router) -> Inside {
    target::over_tls();
    Inside::start(router, |http| http)
}

#[test]
fn a_handler_that_begins_the_stop_has_its_response_delivered() {
    let router = |stop: &StopHandle| {
        let stop = stop.clone();
        let handler = async move || {
            stop.stop("asked for by a request");
            tokio::time::sleep(ms(300)).await;
            "bye"
        };
        Router::new().route("/", get(handler))
    };
    let service = serve(router);
    let mut client = Client::connect(service.addr).unwrap();
    client.get("/").unwrap();
    assert_eq!(answered_and_closed(&mut client).text(), "bye");
    let addr = service.addr;
    let report = service.report();
    assert_eq!(report.outcome, Outcome::Clean);
    assert_eq!(report.cause.to_string(), "stopped by the program: asked for by a request");
    // The server is gone, and its address is free.
    assert!(matches!(Client::connect(addr), Err(Failure::Refused(_))));
    drop(TcpListener::bind(addr).unwrap());
}

#[test]
fn the_listener_is_closed_while_requests_are_still_in_flight() {
    let server = start(command());
    let mut client = connect(&server);
    client.get("/sleep?ms=2500").unwrap();
    pause(ms(100));
    stop(&server);
    assert!(matches!(Client::connect(server.addr()), Err(Failure::Refused(_))));
    assert!(server.runs());
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn the_stop_waits_for_requests_in_flight_and_a_second_one_changes_nothing() {
    let router = Router::new().route("/", get(async || tokio::time::sleep(ms(800)).await));
    let service = serve(|_| router);
    let mut client = Client::connect(service.addr).unwrap();
    client.get("/").unwrap();
    pause(ms(100));
    let began = Instant::now();
    service.stop.stop("first");
    pause(ms(100));
    service.stop.stop("second");
    answered(&mut client);
    drop(client);
    let report = service.report();
    assert!(began.elapsed() >= ms(600), "{:?}", began.elapsed());
    assert_eq!(
        (report.outcome, report.cause.to_string().as_str()),
        (Outcome::Clean, "stopped by the program: first")
    );
    assert_eq!(report.requests.completed, 1);
}

#[test]
fn serving_after_the_stop_is_refused() {
    let stop = StopHandle::new();
    stop.stop("before it began");
    let port = free_port();
    let began = Instant::now();
    let report = runtime().block_on(async {
        let setup = async |service: &mut Setup| {
            let router = Router::new().route("/", get(async || "OK"));
            service.http("public", format!("127.0.0.1:{port}"), router);
            Ok(())
        };
        Service::new("late").budget(budget()).serve(&stop, setup).await
    });
    assert!(began.elapsed() < ROOM, "{:?}", began.elapsed());
    assert_eq!(report.cause.to_string(), "stopped by the program: before it began");
    assert_eq!(report.connections.accepted, 0);
    assert!(matches!(Client::connect(([127, 0, 0, 1], port).into()), Err(Failure::Refused(_))));
}

#[test]
fn a_new_connection_that_says_nothing_does_not_hold_the_stop() {
    // In Go it does, for five seconds.
    let server = start(command());
    let mut silent = connect(&server);
    let at = stop(&server);
    assert_eq!(silent.ending(3 * SECOND), Ending::Eof);
    clean(&server);
    let took = server.wait_exit(SECOND).at - at;
    assert!(took < ms(250) + ROOM, "{took:?}");
}

/// The open connections by state, as the admin listener shows them; those without any left out.
fn states(admin: &mut Client) -> String {
    admin.get("/metrics").unwrap();
    let text = answered(admin).text().into_owned();
    let lines = text.lines().filter_map(|line| line.strip_prefix("lameduck_connections{state="));
    lines.filter(|line| !line.ends_with(" 0")).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_states_of_a_connection_come_in_order() {
    let admin = free_port();
    let server = start(command().env("LAMEDUCK_ADMIN", format!("127.0.0.1:{admin}")));
    // The admin listener speaks no TLS.
    let mut admin = Client::connect_plain(([127, 0, 0, 1], admin).into()).unwrap();
    let mut now = |expected: &str| {
        let mut last = String::new();
        let is = eventually(2 * SECOND, || {
            last = states(&mut admin);
            last == expected
        });
        assert!(is, "{last:?} instead of {expected:?}");
    };
    now("");
    let mut client = connect(&server);
    now("\"unspoken\"} 1");
    client.send(b"GET /sleep?ms=1000 HTTP/1.1\r\n").unwrap();
    now("\"head\"} 1");
    client.send(b"Host: test\r\n\r\n").unwrap();
    now("\"in_flight\"} 1");
    answered(&mut client);
    now("\"idle\"} 1");
    client.get("/sleep?ms=1000").unwrap();
    now("\"in_flight\"} 1");
    answered(&mut client);
    drop(client);
    now("");
    stop(&server);
    clean(&server);
}

#[test]
fn goaway_goes_out_while_a_handler_blocks() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/block?ms=1500");
    pause(ms(100));
    let at = stop(&server);
    let first = http2.until("GOAWAY", |frame| frame.kind == GOAWAY);
    assert_eq!(first.last_stream(), MAX_STREAM);
    let last = http2.until("the last GOAWAY", |frame| frame.kind == GOAWAY);
    assert_eq!(last.last_stream(), 1);
    assert!(at.elapsed() < SECOND, "{:?}", at.elapsed());
    assert_eq!(http2.body(1), b"OK");
    assert_eq!(http2.end(SECOND), Next::Eof);
    clean(&server);
}

#[test]
fn an_unread_body_does_not_destroy_the_response() {
    // Sizes around what the kernel and hyper hold without being asked.
    let router = Router::new().route("/", post(async || "not read"));
    let service = serve(|_| router);
    for size in [1, 10_000, 300_000, 3_000_000] {
        let mut client = Client::connect(service.addr).unwrap();
        client.post("/", &vec![b'x'; size]).unwrap();
        assert_eq!(answered(&mut client).text(), "not read", "{size}");
    }
    let mut client = Client::connect(service.addr).unwrap();
    client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3000000\r\n\r\n").unwrap();
    pause(ms(50));
    service.stop.stop("test");
    client.send(&vec![b'x'; 3_000_000]).unwrap();
    assert_eq!(answered(&mut client).text(), "not read");
    drop(client);
    assert_eq!(service.report().outcome, Outcome::Clean);
}
