//! Connections with nothing under way when the drain begins: those that have not spoken, idle ones, and those
//! with a part of a request's head.

#![allow(missing_docs, reason = "a test program")]

mod target;

use std::time::Instant;

use lameduck_testkit::{Client, Ending, Server, pause};
use target::{
    ROOM, SECOND, about, answered, answered_and_closed, clean, connect, drains_for, forced, idle,
    ms, start, stop, target as command, turned_away,
};

/// A server whose idle grace leaves the test time to act within it.
fn patient() -> Server {
    start(command().env("LAMEDUCK_IDLE_GRACE", "1s"))
}

#[test]
fn a8_a_connection_that_has_not_spoken_is_served_if_it_speaks_within_the_idle_grace() {
    let server = patient();
    let mut client = connect(&server);
    stop(&server);
    pause(ms(300));
    client.get("/").unwrap();
    answered_and_closed(&mut client);
    assert_eq!(clean(&server)["requests"]["completed"], 1);
}

#[test]
fn a8_a_connection_that_has_not_spoken_is_closed_in_order_at_the_end_of_the_idle_grace() {
    let server = patient();
    let mut client = connect(&server);
    let at = stop(&server);
    assert_eq!(client.ending(4 * SECOND), Ending::Eof);
    about(at.elapsed(), SECOND);
    assert_eq!(clean(&server)["connections"]["closed_idle"], 1);
}

#[test]
fn a8_an_idle_connection_is_served_if_it_speaks_within_the_idle_grace() {
    let server = patient();
    let mut client = idle(&server);
    stop(&server);
    pause(ms(300));
    client.get("/").unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn a8_an_idle_connection_is_closed_in_order_at_the_end_of_the_idle_grace() {
    let server = patient();
    let mut client = idle(&server);
    let at = stop(&server);
    assert_eq!(client.ending(4 * SECOND), Ending::Eof);
    about(at.elapsed(), SECOND);
    assert_eq!(clean(&server)["connections"]["closed_idle"], 1);
}

#[test]
fn a8_an_idle_connection_whose_last_response_promised_more_may_use_its_grace_from_then_on() {
    // The response's head was out before the stop, without `Connection: close`: its client may ask again.
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "500ms"));
    let mut client = connect(&server);
    client.get("/stream?chunks=2&ms=1000").unwrap();
    client.wait_for("chunk 0000", SECOND).unwrap();
    stop(&server);
    assert!(!answered(&mut client).says_close());
    pause(ms(200));
    client.get("/").unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn two_thousand_idle_connections_are_closed_in_order_soon_after_the_idle_grace() {
    let server = start(command());
    let mut clients: Vec<Client> = (0..2_000)
        .map(|number| if number % 2 == 0 { idle(&server) } else { connect(&server) })
        .collect();
    // The last may still be in the accept queue, which is a state of its own; here they are to be silent.
    idle(&server);
    let at = stop(&server);
    for client in &mut clients {
        assert_eq!(client.ending(10 * SECOND), Ending::Eof);
    }
    let exit = server.wait_exit(10 * SECOND);
    assert!(exit.at - at < ms(250) + 3 * ROOM, "{:?}", exit.at - at);
    println!("2,000 connections gone and exited after {:?}", exit.at - at);
    assert_eq!(clean(&server)["connections"]["closed_idle"], 2_000);
}

#[test]
fn half_a_head_is_waited_for_and_served() {
    let server = start(command());
    let mut client = connect(&server);
    client.send(b"GET / HTT").unwrap();
    pause(ms(100));
    stop(&server);
    pause(ms(700));
    client.send(b"P/1.1\r\nHost: test\r\n\r\n").unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn a_head_that_begins_within_the_idle_grace_is_waited_for() {
    let server = patient();
    let mut client = connect(&server);
    stop(&server);
    pause(ms(300));
    client.send(b"GET / HTT").unwrap();
    pause(ms(1_200));
    client.send(b"P/1.1\r\nHost: test\r\n\r\n").unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn half_a_head_is_told_503_at_the_drain_deadline() {
    let server = start(drains_for("1s"));
    let mut client = connect(&server);
    client.send(b"POST /echo HTTP/1.1\r\nHost: te").unwrap();
    pause(ms(100));
    let at = stop(&server);
    let response = turned_away(&mut client);
    about(response.at - at, SECOND);
    // No handler saw it: it is safe to repeat, whatever its method.
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(client.closed_cleanly(SECOND));
    let report = forced(&server);
    assert_eq!(report["requests"]["answered_503"], 1);
    assert_eq!(report["stuck"][0]["doing"], "reading the head");
}

#[test]
fn a_slow_writer_of_a_head_is_served() {
    let server = start(command());
    let mut client = connect(&server);
    for (index, byte) in b"GET / HTTP/1.1\r\nHost: t\r\n\r\n".iter().enumerate() {
        client.send(&[*byte]).unwrap();
        if index == 3 {
            stop(&server);
        }
        pause(ms(100));
    }
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn half_a_head_behind_a_pipelined_request_is_not_taken_for_idle() {
    // 1. A whole request and the beginning of a second arrive in one piece.
    // 2. The first is answered; to the flags of the connection it is idle now, but hyper holds the beginning.
    // 3. The stop begins, and the idle grace goes by.
    // 4. The rest of the second request arrives: it must be answered.
    let server = start(command());
    let mut client = connect(&server);
    client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHo").unwrap();
    assert!(!answered(&mut client).says_close());
    stop(&server);
    pause(ms(800));
    client.send(b"st: test\r\n\r\n").unwrap();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn half_a_head_behind_a_pipelined_request_is_told_503_at_the_drain_deadline() {
    let server = start(drains_for("1s"));
    let mut client = connect(&server);
    client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHo").unwrap();
    assert!(!answered(&mut client).says_close());
    let at = stop(&server);
    about(turned_away(&mut client).at - at, SECOND);
    assert_eq!(forced(&server)["requests"]["answered_503"], 1);
}

#[test]
fn silence_of_some_does_not_cut_the_grace_of_others() {
    let server = patient();
    let mut silent: Vec<Client> = (0..20).map(|_| connect(&server)).collect();
    let mut speaks = idle(&server);
    let at = Instant::now();
    stop(&server);
    drop(silent.split_off(10));
    pause(ms(500));
    speaks.get("/").unwrap();
    answered_and_closed(&mut speaks);
    for client in &mut silent {
        assert_eq!(client.ending(3 * SECOND), Ending::Eof);
    }
    about(at.elapsed(), SECOND);
    clean(&server);
}
