//! The limits that keep one client from holding the server, in ordinary life and while draining. They are kept by
//! a clock that ticks each second: never early, a second late at most.

#![allow(missing_docs, reason = "a test program")]

mod inside;
mod target;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use inside::Inside;
use lameduck::{Http, Outcome};
use lameduck_testkit::{Client, Ending, Failure, pause};
use target::{ROOM, SECOND, answered, ms, start};

fn serve(limit: impl FnOnce(Http) -> Http + Send + 'static) -> Inside {
    target::over_tls();
    let router = Router::new()
        .route("/", get(async || "OK"))
        .route("/hang", get(std::future::pending::<()>).post(std::future::pending::<()>))
        .route(
            "/slow",
            get(async || {
                tokio::time::sleep(ms(600)).await;
                "OK"
            }),
        )
        .route(
            "/endless",
            get(async || {
                let first = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from("first"))]);
                let first = futures_util::StreamExt::chain(first, futures_util::stream::pending());
                Body::from_stream(first)
            }),
        );
    Inside::start(|_| router, limit)
}

fn within_a_tick(took: Duration, limit: Duration) {
    assert!(took + ms(5) >= limit, "{took:?} is early for {limit:?}");
    assert!(took < limit + SECOND + ROOM, "{took:?} is late for {limit:?}");
}

fn told_408(client: &mut Client) -> Instant {
    let response = client.read_response().unwrap();
    assert_eq!(response.status, 408);
    assert!(response.says_close());
    assert_eq!(client.ending(SECOND), Ending::Eof);
    response.at
}

#[test]
fn a_head_that_does_not_end_is_told_408_after_ten_seconds() {
    let server = start(target::target());
    let mut client = target::connect(&server);
    let began = Instant::now();
    client.send(b"GET / HTT").unwrap();
    within_a_tick(told_408(&mut client) - began, 10 * SECOND);
}

#[test]
fn a_writer_that_is_too_slow_for_the_header_timeout_is_told_408() {
    let service = serve(|http| http.header_timeout(SECOND));
    let mut client = Client::connect(service.addr).unwrap();
    let began = Instant::now();
    let mut told = None;
    for byte in b"GET / HTTP/1.1\r\nHost: a.rather.long.name.test\r\n\r\n" {
        client.send(&[*byte]).unwrap();
        let read = client.read_some(ms(100));
        if !read.is_empty() {
            told = Some(read);
            break;
        }
    }
    within_a_tick(began.elapsed(), SECOND);
    let told = told.expect("an answer before the head was whole");
    assert!(told.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn half_a_head_is_told_408_while_draining_and_does_not_use_up_the_drain() {
    let service = serve(|http| http.header_timeout(SECOND));
    let mut client = Client::connect(service.addr).unwrap();
    client.send(b"GET / HTT").unwrap();
    pause(ms(100));
    let began = Instant::now();
    service.stop.stop("test");
    let told = told_408(&mut client);
    assert!(told - began < SECOND + ROOM, "{:?}", told - began);
    assert_eq!(service.report().outcome, Outcome::Clean);
}

#[test]
fn the_header_timeout_does_not_concern_an_idle_connection() {
    let service = serve(|http| http.header_timeout(ms(300)));
    let mut client = Client::connect(service.addr).unwrap();
    client.get("/").unwrap();
    answered(&mut client);
    pause(ms(2_500));
    client.get("/").unwrap();
    answered(&mut client);
    let mut silent = Client::connect(service.addr).unwrap();
    pause(ms(1_500));
    silent.get("/").unwrap();
    answered(&mut silent);
}

#[test]
fn an_idle_connection_is_closed_in_order_after_the_idle_timeout() {
    let service = serve(|http| http.idle_timeout(SECOND));
    let mut idle = Client::connect(service.addr).unwrap();
    idle.get("/").unwrap();
    answered(&mut idle);
    let mut silent = Client::connect(service.addr).unwrap();
    let began = Instant::now();
    assert_eq!(silent.ending(5 * SECOND), Ending::Eof);
    assert_eq!(idle.ending(SECOND), Ending::Eof);
    within_a_tick(began.elapsed(), SECOND);
}

#[test]
fn a_request_is_told_503_after_the_request_timeout() {
    let service = serve(|http| http.request_timeout(SECOND));
    let mut hanging = Client::connect(service.addr).unwrap();
    let mut endless = Client::connect(service.addr).unwrap();
    let mut quick = Client::connect(service.addr).unwrap();
    let began = Instant::now();
    hanging.get("/hang").unwrap();
    endless.get("/endless").unwrap();
    quick.get("/slow").unwrap();
    answered(&mut quick);
    let response = hanging.read_response().unwrap();
    assert_eq!(response.status, 503);
    within_a_tick(response.at - began, SECOND);
    assert!(matches!(endless.read_response(), Err(Failure::Cut { .. })));
}

#[test]
fn connections_beyond_the_limit_wait_and_are_served_also_while_draining() {
    // 1. One connection is held at once; four others lie in the accept queue.
    // 2. The first ends: the next is served.
    // 3. The stop begins with the rest still in the queue: none is reset, each is answered.
    let service = serve(|http| http.max_connections(1));
    let mut first = Client::connect(service.addr).unwrap();
    first.get("/").unwrap();
    answered(&mut first);
    let mut waiting: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = Client::connect(service.addr).unwrap();
            client.get("/slow").unwrap();
            client
        })
        .collect();
    assert_eq!(waiting[0].ending(ms(800)), Ending::Open);
    drop(first);
    answered(&mut waiting[0]);
    service.stop.stop("test");
    for client in &mut waiting[1..] {
        answered(client);
    }
    drop(waiting);
    assert_eq!(service.report().outcome, Outcome::Clean);
}

/// 1. A server's limits are `Duration::MAX`, for never.
/// 2. Connections stand in every state that a limit is for, and the clock of the limits ticks.
/// 3. The sum of a time and a limit overflowed, and the panic took the supervisor thread with it.
#[test]
fn limits_of_for_ever_are_never_reached_and_the_service_still_stops() {
    const EVER: Duration = Duration::MAX;
    let server = serve(|http| http.header_timeout(EVER).idle_timeout(EVER).request_timeout(EVER));
    let mut silent = Client::connect(server.addr).unwrap();
    let mut half = Client::connect(server.addr).unwrap();
    half.send(b"GET / HTT").unwrap();
    let mut busy = Client::connect(server.addr).unwrap();
    busy.get("/endless").unwrap();
    assert_eq!(silent.ending(2 * SECOND), Ending::Open);
    half.send(b"P/1.1\r\nHost: test\r\n\r\n").unwrap();
    answered(&mut half);
    drop(busy);
    server.stop.stop("enough");
    assert_eq!(silent.ending(5 * SECOND), Ending::Eof);
    let report = server.report();
    assert_ne!(report.outcome, Outcome::Failed, "{report}");
}
