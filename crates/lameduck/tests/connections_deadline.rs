//! Requests that still run at the drain deadline: a 503 wherever the response's head is not out, else an end that
//! the client can tell from a whole response.

#![allow(missing_docs, reason = "a test program")]

mod target;

use std::sync::{Arc, Barrier};
use std::thread;

use lameduck_testkit::{Client, Ending, Failure, Server, pause};
use target::{
    ROOM, SECOND, about, answered_and_closed, clean, connect, drains_for, forced, ms, start, stop,
    turned_away,
};

const MEGA: usize = 1 << 20;

fn short() -> Server {
    start(drains_for("1s"))
}

#[test]
fn a_hanging_get_is_told_503_and_invited_to_repeat() {
    let server = short();
    let mut client = connect(&server);
    client.get("/hang").unwrap();
    pause(ms(100));
    let at = stop(&server);
    let response = turned_away(&mut client);
    about(response.at - at, SECOND);
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(client.closed_cleanly(SECOND));
    let report = forced(&server);
    assert_eq!(report["requests"]["answered_503"], 1);
    assert_eq!(report["requests"]["interrupted"], 0);
}

#[test]
fn a_hanging_post_is_told_that_its_outcome_is_unknown() {
    let server = short();
    let mut client = connect(&server);
    client.post("/hang", b"wallet=3").unwrap();
    pause(ms(100));
    stop(&server);
    let response = turned_away(&mut client);
    assert_eq!(response.header("retry-after"), None);
    assert!(response.text().contains("outcome is unknown"), "{response:?}");
    let report = forced(&server);
    assert_eq!(report["requests"]["answered_503"], 0);
    assert_eq!(report["requests"]["interrupted"], 1);
}

#[test]
fn the_503_to_head_has_no_body() {
    let server = short();
    let mut client = connect(&server);
    client.send(b"HEAD /hang HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    pause(ms(100));
    stop(&server);
    let response = client.read_response_to("HEAD").unwrap();
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")));
    assert_eq!(client.ending(SECOND), Ending::Eof);
    forced(&server);
}

#[test]
fn a_chunked_response_ends_without_its_final_chunk() {
    let server = short();
    let mut client = connect(&server);
    client.get("/stream?chunks=1000&ms=50").unwrap();
    client.wait_for("chunk 0001", SECOND).unwrap();
    let at = stop(&server);
    let failure = client.read_response().unwrap_err();
    about(at.elapsed(), SECOND);
    let Failure::Cut { received, .. } = failure else { panic!("{failure}") };
    assert!(!received.windows(5).any(|bytes| bytes == b"0\r\n\r\n"));
    let report = forced(&server);
    assert_eq!(report["requests"]["cut"], 1);
    assert_eq!(report["connections"]["cut"], 1);
}

#[test]
fn a_response_whose_length_is_marked_by_the_end_of_the_connection_is_reset() {
    let server = short();
    let mut client = connect(&server);
    client.send(b"GET /stream?chunks=1000&ms=50 HTTP/1.0\r\nHost: test\r\n\r\n").unwrap();
    client.wait_for("chunk 0001", SECOND).unwrap();
    stop(&server);
    match client.read_response() {
        Err(Failure::Cut { reset: true, .. }) => {}
        other => panic!("an orderly end looks like a whole body: {other:?}"),
    }
    assert_eq!(forced(&server)["requests"]["cut"], 1);
}

#[test]
fn a_whole_response_over_http_1_0_is_not_reset() {
    let server = short();
    let mut client = connect(&server);
    client.send(b"GET /stream?chunks=5&ms=100 HTTP/1.0\r\nHost: test\r\n\r\n").unwrap();
    client.wait_for("chunk 0001", SECOND).unwrap();
    stop(&server);
    let response = client.read_response().unwrap();
    assert!(response.text().ends_with("chunk 0004\n"), "{response:?}");
    clean(&server);
}

#[test]
fn a_response_with_a_length_ends_short_for_a_client_that_never_reads() {
    // 1. A response far larger than what the kernel buffers waits for its reader; the handler is done with it.
    // 2. At the drain deadline it is cut, and the client can tell, because the length is not reached.
    // 3. The report says so: a response that the kernel did not get whole is not completed.
    let server = short();
    let mut client = connect(&server);
    client.post("/echo", &vec![b'x'; 40 * MEGA]).unwrap();
    client.wait_for("\r\n\r\n", 5 * SECOND).unwrap();
    let at = stop(&server);
    let report = forced(&server);
    about(server.wait_exit(SECOND).at - at, SECOND);
    let failure = client.read_response().unwrap_err();
    assert!(matches!(failure, Failure::Cut { .. }), "{failure}");
    assert_eq!(report["connections"]["cut"], 1, "{report}");
    assert_eq!(report["requests"]["cut"], 1, "{report}");
    assert_eq!(report["requests"]["completed"], 0, "{report}");
    assert_eq!(report["stuck"][0]["name"], "POST /echo", "{report}");
    assert_eq!(report["stuck"][0]["doing"], "writing the response", "{report}");
}

#[test]
fn a_stream_to_a_client_that_never_reads_is_cut() {
    let server = short();
    let mut client = connect(&server);
    client.get("/stream?chunks=100000000&ms=0").unwrap();
    pause(ms(300));
    let at = stop(&server);
    let report = forced(&server);
    about(server.wait_exit(SECOND).at - at, SECOND);
    assert_eq!(report["requests"]["cut"], 1, "{report}");
    assert_eq!(report["stuck"][0]["name"], "GET /stream");
    assert_eq!(report["stuck"][0]["doing"], "writing the response");
}

#[test]
fn half_an_upload_is_told_503() {
    let server = short();
    let mut client = connect(&server);
    client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nabc").unwrap();
    pause(ms(100));
    stop(&server);
    let response = turned_away(&mut client);
    assert_eq!(response.header("retry-after"), None);
    let report = forced(&server);
    assert_eq!(report["requests"]["interrupted"], 1);
    assert_eq!(report["stuck"][0]["doing"], "waiting for the request's body");
}

#[test]
fn a_client_that_waits_for_100_continue_is_told_503() {
    let server = short();
    let mut client = connect(&server);
    let request =
        b"POST /hang HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.send(request).unwrap();
    pause(ms(100));
    stop(&server);
    assert!(turned_away(&mut client).interim.is_empty());
    drop(client);
    forced(&server);
}

#[test]
fn an_upload_of_thirty_megabytes_that_nobody_reads_does_not_destroy_the_503() {
    let server = short();
    let mut client = connect(&server);
    client.send(b"POST /hang HTTP/1.1\r\nHost: test\r\nContent-Length: 31457280\r\n\r\n").unwrap();
    client.send(&vec![b'x'; 64 * 1024]).unwrap();
    pause(ms(100));
    stop(&server);
    // Blocks until the server reads on, behind its answer.
    let _ = client.send(&vec![b'x'; 31_457_280 - 64 * 1024]);
    turned_away(&mut client);
    forced(&server);
}

#[test]
fn uploads_at_full_speed_are_told_503_and_not_cut() {
    // 1. Many clients upload as fast as they can, so that the tasks of their connections run nearly all the time.
    // 2. The order to cut arrives while such a task is in the middle of a poll, its handler waiting for more.
    // 3. It was obeyed at the end of that poll, before the handler was asked: the request, its head not out, was
    //    cut instead of answered.
    let server = start(drains_for("1s"));
    let addr = server.addr();
    let connected = Arc::new(Barrier::new(24 + 1));
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let connected = Arc::clone(&connected);
            thread::spawn(move || {
                let head =
                    b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
                let begun = Client::connect(addr).and_then(|mut client| {
                    client.send(head)?;
                    Ok(client)
                });
                // All of them, before one uploads: that leaves the others no processor.
                connected.wait();
                let mut client = begun.unwrap();
                let chunk =
                    b"40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n";
                let block = chunk.repeat(16);
                let end = std::time::Instant::now() + 4 * SECOND;
                while std::time::Instant::now() < end
                    && client.look() == lameduck_testkit::Look::Open
                {
                    client.send(&block).unwrap();
                }
                client.read_response().map(|response| response.status)
            })
        })
        .collect();
    connected.wait();
    pause(ms(100));
    stop(&server);
    let verdicts: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let cut = verdicts.iter().filter(|verdict| **verdict != Ok(503)).count();
    assert_eq!(cut, 0, "{verdicts:?}");
    forced(&server);
}

#[test]
fn a7_a_handler_that_does_not_fit_the_budget_is_cut_at_its_end() {
    // The material's own figures: a handler of 10 s, a budget of 5 s.
    let server = start(drains_for("5s"));
    let (mut too_long, mut fits) = (connect(&server), connect(&server));
    too_long.get("/sleep?ms=10000").unwrap();
    fits.get("/sleep?ms=3000").unwrap();
    pause(ms(50));
    let at = stop(&server);
    answered_and_closed(&mut fits);
    let response = turned_away(&mut too_long);
    about(response.at - at, 5 * SECOND);
    let report = forced(&server);
    assert!(server.wait_exit(SECOND).at - at < 5 * SECOND + ROOM);
    assert_eq!(report["requests"]["completed"], 1);
    assert_eq!(report["requests"]["answered_503"], 1);
    assert_eq!(report["stuck"][0]["name"], "GET /sleep");
}

#[test]
fn many_hanging_requests_are_all_told_503() {
    // More than the report lists. Not many more: in a debug build each answer over TLS takes a millisecond, and all of
    // them have 250.
    const CLIENTS: u64 = 110;
    let server = short();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| connect(&server)).collect();
    for client in &mut clients {
        client.get("/hang").unwrap();
    }
    pause(ms(200));
    let at = stop(&server);
    for client in &mut clients {
        turned_away(client);
    }
    let report = forced(&server);
    about(server.wait_exit(SECOND).at - at, SECOND);
    assert_eq!(report["requests"]["answered_503"], CLIENTS);
    assert_eq!(report["stuck"].as_array().unwrap().len(), 100);
    assert_eq!(report["stuck_unlisted"], CLIENTS - 100);
}
