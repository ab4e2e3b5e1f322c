//! Requests in flight when the drain begins, which end within it.

#![allow(missing_docs, reason = "a test program")]

mod target;

use std::thread;
use std::time::Duration;

use lameduck_testkit::{Client, Ending, Failure, pause};
use target::{
    SECOND, answered, answered_and_closed, clean, connect, idle, ms, start, stop, target as command,
};

const MEGA: usize = 1 << 20;

/// Bytes that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index / 7 % 251) as u8).collect()
}

#[test]
fn a_handler_ends_and_its_response_says_close() {
    let server = start(command());
    let mut client = connect(&server);
    client.get("/sleep?ms=800").unwrap();
    pause(ms(100));
    stop(&server);
    assert_eq!(answered_and_closed(&mut client).text(), "OK");
    assert_eq!(clean(&server)["requests"]["completed"], 1);
}

#[test]
fn an_upload_ends_and_is_answered() {
    let server = start(command());
    let mut client = connect(&server);
    let body = pattern(MEGA);
    client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1048576\r\n\r\n").unwrap();
    client.send(&body[..MEGA / 2]).unwrap();
    pause(ms(100));
    stop(&server);
    for piece in body[MEGA / 2..].chunks(MEGA / 16) {
        pause(ms(60));
        client.send(piece).unwrap();
    }
    assert!(answered_and_closed(&mut client).body == body, "other bytes came back");
    clean(&server);
}

#[test]
fn an_upload_in_chunks_ends_and_is_answered() {
    let server = start(command());
    let mut client = connect(&server);
    client
        .send(
            b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        )
        .unwrap();
    pause(ms(100));
    stop(&server);
    pause(ms(400));
    client.send(b"2\r\nde\r\n0\r\n\r\n").unwrap();
    assert_eq!(answered_and_closed(&mut client).text(), "abcde");
    clean(&server);
}

#[test]
fn a_streaming_response_ends_whole() {
    let server = start(command());
    let mut client = connect(&server);
    client.get("/stream?chunks=10&ms=100").unwrap();
    client.wait_for("chunk 0001", SECOND).unwrap();
    stop(&server);
    let response = answered(&mut client);
    assert!(response.text().ends_with("chunk 0009\n"), "{response:?}");
    // Its head went out before the stop, so the connection has the idle grace from here on.
    assert!(client.closed_cleanly(2 * SECOND));
    clean(&server);
}

#[test]
fn a_slow_reader_gets_its_whole_response() {
    let server = start(command());
    let mut client = connect(&server);
    let _ = client.socket().set_recv_buffer_size(64 * 1024);
    let body = pattern(12 * MEGA);
    client.post("/echo", &body).unwrap();
    client.wait_for("\r\n\r\n", 5 * SECOND).unwrap();
    stop(&server);
    pause(SECOND);
    assert!(answered(&mut client).body == body, "other bytes came back");
    clean(&server);
}

#[test]
fn of_pipelined_requests_the_one_in_flight_is_answered_and_says_that_it_is_the_last() {
    let server = start(command());
    let mut client = connect(&server);
    let request = "GET /sleep?ms=500 HTTP/1.1\r\nHost: test\r\n\r\n";
    client.send(request.repeat(3).as_bytes()).unwrap();
    pause(ms(100));
    stop(&server);
    // An end in order: what is pipelined behind does not destroy the answer.
    answered_and_closed(&mut client);
    assert_eq!(clean(&server)["requests"]["completed"], 1);
}

#[test]
fn a_request_waiting_for_100_continue_proceeds() {
    let server = start(command());
    let mut client = connect(&server);
    client
        .send(b"POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .unwrap();
    client.wait_for("100 Continue", SECOND).unwrap();
    stop(&server);
    pause(ms(700));
    client.send(b"body").unwrap();
    let response = answered_and_closed(&mut client);
    assert_eq!((response.text().as_ref(), response.interim.as_slice()), ("body", &[100][..]));
    clean(&server);
}

#[test]
fn an_expectation_that_comes_within_the_idle_grace_is_met() {
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "2s"));
    let mut client = idle(&server);
    stop(&server);
    client
        .send(b"POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .unwrap();
    client.wait_for("100 Continue", SECOND).unwrap();
    client.send(b"body").unwrap();
    assert_eq!(answered_and_closed(&mut client).text(), "body");
    clean(&server);
}

#[test]
fn an_upload_that_nobody_reads_does_not_destroy_the_response() {
    let server = start(command());
    let body = pattern(30 * MEGA);
    let mut before = connect(&server);
    before.post("/sleep", &body).unwrap();
    assert_eq!(before.read_response().unwrap().status, 405);
    drop(before);

    let mut during = connect(&server);
    during.send(b"POST /sleep HTTP/1.1\r\nHost: test\r\nContent-Length: 31457280\r\n").unwrap();
    pause(ms(100));
    stop(&server);
    during.send(b"\r\n").unwrap();
    during.send(&body).unwrap();
    let response = during.read_response().unwrap();
    assert_eq!(response.status, 405);
    assert!(response.says_close(), "{response:?}");
    clean(&server);
}

#[test]
fn a_client_that_has_closed_its_half_gets_its_answer() {
    let server = start(command());
    let mut client = connect(&server);
    client.get("/sleep?ms=600").unwrap();
    client.half_close();
    pause(ms(100));
    stop(&server);
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn a_client_that_closes_its_half_during_the_drain_gets_its_answer() {
    let server = start(command());
    let mut client = connect(&server);
    client.get("/sleep?ms=600").unwrap();
    pause(ms(100));
    stop(&server);
    client.half_close();
    answered_and_closed(&mut client);
    clean(&server);
}

#[test]
fn clients_that_reset_in_the_middle_disturb_nobody() {
    let server = start(command());
    let mut good: Vec<Client> = (0..5).map(|_| connect(&server)).collect();
    let mut bad: Vec<Client> = (0..20).map(|_| connect(&server)).collect();
    for client in &mut good {
        client.get("/sleep?ms=1000").unwrap();
    }
    for (index, client) in bad.iter_mut().enumerate() {
        let what: &[u8] = match index % 4 {
            0 => b"GET /sleep?ms=1000 HTTP/1.1\r\nHost: test\r\n\r\n",
            1 => b"GET /stream?chunks=1000&ms=5 HTTP/1.1\r\nHost: test\r\n\r\n",
            2 => b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nabc",
            _ => b"GET /sl",
        };
        client.send(what).unwrap();
    }
    pause(ms(100));
    let late = bad.split_off(10);
    bad.into_iter().for_each(Client::reset);
    stop(&server);
    pause(ms(100));
    late.into_iter().for_each(Client::reset);
    for client in &mut good {
        answered_and_closed(client);
    }
    assert_eq!(clean(&server)["requests"]["completed"], 5);
}

#[test]
fn bytes_that_are_no_http_are_told_400() {
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "2s"));
    let mut before = connect(&server);
    let mut during = connect(&server);
    before.send(b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n").unwrap();
    assert_eq!(before.read_response().unwrap().status, 400);
    assert!(before.closed_cleanly(2 * SECOND));
    stop(&server);
    // More than hyper reads at once: what lies behind must not destroy the answer either.
    during.send(&b"no HTTP at all\r\n".repeat(20_000)).unwrap();
    assert_eq!(during.read_response().unwrap().status, 400);
    clean(&server);
}

#[test]
fn responses_are_whole_for_many_clients_in_every_state() {
    let server = start(command());
    let addr = server.addr();
    let clients: Vec<_> = (0..40)
        .map(|number| {
            thread::spawn(move || -> Result<u16, Failure> {
                let mut client = Client::connect(addr)?;
                match number % 4 {
                    0 => client.get("/sleep?ms=700")?,
                    1 => client.get("/stream?chunks=20&ms=40")?,
                    2 => client.post("/echo", &pattern(100_000))?,
                    _ => {
                        client.send(b"GET / HTTP/1.1\r\n")?;
                        pause(ms(800));
                        client.send(b"Host: test\r\n\r\n")?;
                    }
                }
                client.read_response().map(|response| response.status)
            })
        })
        .collect();
    pause(ms(300));
    stop(&server);
    for client in clients {
        assert_eq!(client.join().unwrap(), Ok(200));
    }
    clean(&server);
}

#[test]
fn a6_an_endless_stream_of_requests_cannot_keep_the_process_alive() {
    let server = start(command());
    let addr = server.addr();
    // Each asks again as soon as it is answered, connects anew as soon as it is closed, and never gives up.
    let clients: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                let mut failures = Vec::new();
                let mut client = Client::connect(addr);
                loop {
                    let Ok(open) = &mut client else { return failures };
                    match open.get("/").and_then(|()| open.read_response()) {
                        Ok(response) if response.says_close() => client = Client::connect(addr),
                        Ok(_) => {}
                        Err(failure) => {
                            failures.push(failure);
                            client = Client::connect(addr);
                        }
                    }
                }
            })
        })
        .collect();
    pause(ms(300));
    let at = stop(&server);
    let exit = server.wait_exit(5 * SECOND);
    assert!(exit.at - at < 2 * SECOND, "{:?}", exit.at - at);
    clean(&server);
    for client in clients {
        assert_eq!(client.join().unwrap(), []);
    }
}

#[test]
fn a7_a_handler_that_fits_the_budget_completes() {
    let server = start(command().env("LAMEDUCK_DRAIN", "3s"));
    let mut client = connect(&server);
    client.get("/sleep?ms=2000").unwrap();
    pause(ms(50));
    stop(&server);
    answered_and_closed(&mut client);
    clean(&server);
}

/// From the last byte of the last response to the exit, in the middle of some stops.
fn exit_after_the_last_response() -> Duration {
    let mut gaps: Vec<Duration> = (0..15)
        .map(|round| {
            let server = start(command());
            let mut client = connect(&server);
            client.get("/sleep?ms=200").unwrap();
            pause(ms(30 + round));
            stop(&server);
            let end = answered(&mut client).at;
            assert_eq!(client.ending(SECOND), Ending::Eof);
            let exit = server.wait_exit(5 * SECOND);
            clean(&server);
            exit.at.saturating_duration_since(end)
        })
        .collect();
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    println!("exit after the last response: median {median:?}, all {gaps:?}");
    median
}

#[test]
fn the_exit_follows_the_last_response_at_once() {
    // The promise is for release builds, and `.ci/run` runs this in one; a debug build on a busy machine is to show that
    // nothing sleeps or polls.
    let limit = if cfg!(debug_assertions) { ms(50) } else { ms(5) };
    // The best of three, since the machine may have other things to do. Of a median: that of one stop alone could be short by
    // chance where something polls.
    let at_once = (0..3).any(|_| exit_after_the_last_response() <= limit);
    assert!(at_once, "three times more than {limit:?}");
}
