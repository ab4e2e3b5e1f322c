//! What is under way stays until it is over, and nothing of it is lost or read as something else.

use std::sync::atomic::Ordering;

use super::pair::*;
use crate::part::Part as _;

/// A handler answers while somebody still holds the request's body unread.
/// 1. The client sends the head and a part of the body, which looks like a request.
/// 2. The answer comes; the rest of the body is with hyper, or in the socket.
/// 3. The server passes its connections on.
///
/// Were this one among them, the successor would read the body as a request.
#[test]
fn a_body_that_somebody_still_holds_is_never_read_as_a_request() {
    for paused in [false, true] {
        let pair = Pair::new();
        let mut client = pair.client();
        let body = get("/smuggled").repeat(100);
        let length = body.len() + 1;
        client.send(format!("POST /hold HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n"));
        client.send(&body);
        assert_eq!(client.answer().body, b"held");
        pair.pass_on();
        if paused {
            pair.old.source.pause();
        }
        a_while();
        a_while();
        client.send(".");
        pair.seen.holds.store(false, Ordering::Release);
        client.end();
        let rest = client.rest().unwrap_or_default();
        assert!(!String::from_utf8_lossy(&rest).contains("smuggled"), "{rest:?}");
        assert_eq!(pair.seen.smuggled.load(Ordering::Relaxed), 0);
        assert_eq!((pair.old.passed_on(), pair.new.open()), (0, 0));
    }
}

/// The same where the answer says that the connection closes: hyper then ends at once when it is asked to.
#[test]
fn nor_is_it_where_the_connection_was_to_close() {
    let pair = Pair::new();
    let mut client = pair.client();
    let body = get("/smuggled").repeat(100);
    let length = body.len() + 1;
    client.send(format!(
        "POST /hold HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(client.answer().body, b"held");
    pair.pass_on();
    a_while();
    pair.old.source.pause();
    a_while();
    a_while();
    pair.seen.holds.store(false, Ordering::Release);
    client.end();
    let rest = client.rest().unwrap_or_default();
    assert!(!String::from_utf8_lossy(&rest).contains("smuggled"), "{rest:?}");
    assert_eq!(pair.seen.smuggled.load(Ordering::Relaxed), 0);
    assert_eq!(pair.old.passed_on(), 0);
}

#[test]
fn a_connection_whose_handler_ignored_the_body_is_passed_on_behind_it() {
    let pair = Pair::new();
    let mut client = pair.client();
    let post = "POST /ignored HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello";
    client.send(post);
    assert_eq!(client.answer().by(), "old");
    pair.pass_on();
    until("it is passed on", || pair.old.passed_on() == 1);
    client.send(post);
    assert_eq!(client.answer().by(), "new");
    assert_eq!(client.get("/behind").body, b"/behind");
}

#[test]
fn a_slow_readers_response_is_not_truncated() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.send(get("/big"));
    let head = client.head();
    pair.pass_on();
    until("the others are", || pair.old.source.is_swept());
    pair.old.source.pause();
    a_while();
    assert_eq!(pair.old.passed_on(), 0, "its response is under way");
    let body = client.bytes(BIG);
    assert!(body.iter().all(|byte| *byte == b'x') && !head.to_ascii_lowercase().contains("close"));
    assert_eq!(client.get("/after").by(), "new");
    until("nothing is left", || pair.old.source.is_at_rest());
}

#[test]
fn a_request_in_its_handler_is_answered_and_the_connection_goes_on() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.send(get("/slow"));
    until("it is in its handler", || pair.old.totals().in_flight == 1);
    pair.pass_on();
    pair.old.source.pause();
    let got = client.answer();
    assert_eq!((got.by(), got.says_close()), ("old", false));
    assert_eq!(client.get("/after").by(), "new");
}

#[test]
fn a_client_that_waits_for_100_is_served_where_it_asked() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.send(
        "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    assert!(client.head().starts_with("HTTP/1.1 100"));
    pair.pass_on();
    pair.old.source.pause();
    a_while();
    client.send("hello");
    let got = client.answer();
    assert_eq!((got.by(), &got.body[..]), ("old", &b"hello"[..]));
    assert_eq!(client.get("/after").by(), "new");
}

#[test]
fn requests_that_were_sent_together_are_all_answered_in_order_by_whomever() {
    let pair = Pair::new();
    let mut client = pair.client();
    let all: String = (0..200).map(|number| get(&format!("/{number}"))).collect();
    let (first, second) = all.split_at(all.len() / 2 + 7);
    client.send(format!("{}{first}", get("/slow")));
    pair.pass_on();
    client.send(second);
    assert_eq!(client.answer().body, b"slow");
    for number in 0..200 {
        let got = client.answer();
        assert_eq!(got.body, format!("/{number}").as_bytes());
        assert!(!got.says_close());
    }
    until("it is passed on", || pair.old.passed_on() == 1);
}

/// Without any restart:
/// 1. A client sends a request, and with it the next one but for its last two bytes, an empty line.
/// 2. It gets the answer to the first.
/// 3. It sends the two bytes.
///
/// They end a head, of which hyper holds the rest; they are no empty line before one.
#[test]
fn the_end_of_a_head_that_came_along_with_the_request_before_is_not_dropped() {
    let pair = Pair::new();
    let mut client = pair.client();
    let both = format!("{}{}", get("/one"), get("/two"));
    let (most, end) = both.split_at(both.len() - 2);
    client.send(most);
    assert_eq!(client.answer().body, b"/one");
    a_while();
    client.send(end);
    assert_eq!(client.answer().body, b"/two");
}

#[test]
fn a_client_that_closed_its_half_gets_its_answer_and_the_end() {
    let pair = Pair::new();
    let (mut busy, mut idle) = (pair.client(), pair.client());
    idle.get("/");
    busy.send(get("/slow"));
    busy.end();
    until("it is in its handler", || pair.old.totals().in_flight == 1);
    pair.pass_on();
    assert_eq!(busy.answer().body, b"slow");
    busy.ends();
    until("it is passed on", || pair.old.passed_on() >= 1);
    idle.send(get("/last"));
    idle.end();
    assert_eq!(idle.answer().by(), "new");
    idle.ends();
    until("none is left", || pair.old.open() + pair.new.open() == 0);
}
