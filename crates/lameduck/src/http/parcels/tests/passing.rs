//! What is passed on whole, and by whom it is served then.

use super::pair::*;
use crate::part::Part as _;

#[test]
fn an_idle_connection_and_a_silent_one_and_half_a_head_are_served_on_by_the_successor() {
    let pair = Pair::new();
    let (mut idle, mut silent, mut half) = (pair.client(), pair.client(), pair.client());
    let mut later = pair.client();
    assert_eq!(idle.get("/one").by(), "old");
    assert_eq!(later.get("/one").by(), "old");
    half.send("GET /half HTTP/1.1\r\nHo");
    later.send("GET /later HT");
    until("all are there", || pair.old.totals().open.head == 2 && pair.old.open() == 4);
    assert!(pair.old.source.is_swept(), "nothing to sweep yet");
    pair.pass_on();
    until("they are passed on", || pair.old.passed_on() == 4);
    until("it says so", || pair.old.source.is_swept());
    assert_eq!((pair.old.open(), pair.new.open()), (0, 4));
    half.send("st: t\r\n\r\n");
    later.send("TP/1.1\r\nHost: t\r\n\r\n");
    for (client, path) in [(&mut half, "/half"), (&mut later, "/later")] {
        let got = client.answer();
        assert_eq!((got.by(), &got.body[..]), ("new", path.as_bytes()));
    }
    for client in [&mut idle, &mut silent, &mut half, &mut later] {
        let got = client.get("/two");
        assert_eq!((got.by(), &got.body[..], got.says_close()), ("new", &b"/two"[..], false));
    }
    // A request counts once the kernel has its answer, which the client may have read by then.
    let requests = || [&pair.old, &pair.new].map(|server| server.totals().requests.completed);
    until("all are counted", || requests() == [2, 6]);
    let connections = |server: &Server| server.totals().connections;
    assert_eq!((connections(&pair.old).accepted, connections(&pair.old).closed), (4, 4));
    assert_eq!((connections(&pair.new).accepted, connections(&pair.new).closed), (4, 0));
}

#[test]
fn the_beginning_of_a_preface_is_passed_on_undecided() {
    let pair = Pair::new();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let (mut post, mut http2, mut fresh) = (pair.client(), pair.client(), pair.client());
    post.send("P");
    http2.send(&preface[..2]);
    until("they were read", || pair.old.totals().open.head == 2 && pair.old.open() == 3);
    pair.pass_on();
    until("they are passed on", || pair.old.passed_on() == 3);
    post.send("OST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi");
    http2.send(&preface[2..]);
    fresh.send(preface);
    let got = post.answer();
    assert_eq!((got.by(), &got.body[..]), ("new", &b"hi"[..]));
    for client in [&mut http2, &mut fresh] {
        assert_eq!(client.bytes(4)[3], 4, "SETTINGS come first");
    }
    until("they are HTTP/2", || pair.new.open() == 3);
}

#[test]
fn empty_lines_are_no_half_head_on_either_side() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.get("/");
    client.send("\r\n\r\n");
    a_while();
    pair.pass_on();
    until("it is passed on", || pair.old.passed_on() == 1);
    until("it is idle", || pair.new.totals().open.idle == 1);
    assert_eq!(client.get("/after").by(), "new");
}

#[test]
fn a_client_that_asks_again_at_once_is_passed_on_between_two_requests() {
    let pair = Pair::new();
    let mut client = pair.client();
    for number in 0..20 {
        client.get(&format!("/{number}"));
    }
    pair.pass_on();
    // From the commit on it passes itself: whether a look of the sweep finds it idle is chance.
    pair.old.source.pause();
    let mut by = Vec::new();
    for number in 0..20 {
        let got = client.get(&format!("/{number}"));
        assert_eq!(got.body, format!("/{number}").as_bytes());
        assert!(!got.says_close(), "{}", got.head);
        by.push(got.by().to_owned());
    }
    assert_eq!(by.last().map(String::as_str), Some("new"));
    assert_eq!(pair.old.passed_on(), 1);
}

#[test]
fn http10_keep_alive_goes_on_with_the_successor() {
    let pair = Pair::new();
    let mut client = pair.client();
    let ask = "GET /ten HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    client.send(ask);
    assert_eq!(client.answer().by(), "old");
    pair.pass_on();
    until("it is passed on", || pair.old.passed_on() == 1);
    client.send(ask);
    let got = client.answer();
    assert!(
        got.by() == "new" && got.head.to_ascii_lowercase().contains("keep-alive"),
        "{}",
        got.head
    );
}

#[test]
fn what_is_not_used_yet_goes_along_from_hand_to_hand() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.get("/");
    let request = get("/long/way");
    let (mut from, mut to) = (&pair.old, &pair.new);
    let (last, bytes) = request.as_bytes().split_last().expect("some");
    for byte in bytes {
        client.send([*byte]);
        until("it was read", || from.totals().open.head == 1);
        let before = from.passed_on();
        from.source.pass_on(&pair.outbox(to));
        until("it is passed on", || from.passed_on() == before + 1);
        from.source.resume();
        std::mem::swap(&mut from, &mut to);
        until("it is half a head there", || from.totals().open.head == 1);
    }
    client.send([*last]);
    assert_eq!(client.answer().body, b"/long/way");
    assert_eq!(client.get("/on").body, b"/on");
}

#[test]
fn a_head_that_is_too_much_for_a_parcel_stays() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.get("/");
    client.send(format!("GET /long HTTP/1.1\r\nHost: t\r\nX: {}", "x".repeat(250_000)));
    until("it was read", || pair.old.totals().open.head == 1);
    a_while();
    pair.pass_on();
    until("it was looked at", || pair.old.source.is_swept());
    client.send("\r\n\r\n");
    let got = client.answer();
    assert_eq!((got.by(), &got.body[..]), ("old", &b"/long"[..]));
    assert_eq!(pair.old.passed_on(), 0);
}

#[test]
fn http2_and_upgraded_connections_stay_and_the_first_are_told() {
    let pair = Pair::new();
    let (mut http2, mut upgraded) = (pair.client(), pair.client());
    http2.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let mut frame = || -> u8 {
        let head = http2.bytes(9);
        http2.bytes(usize::from(head[2]) | usize::from(head[1]) << 8);
        head[3]
    };
    while frame() != 4 {}
    upgraded
        .send("GET /upgrade HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert!(upgraded.head().starts_with("HTTP/1.1 101"));
    pair.pass_on();
    until("they were looked at", || pair.old.source.is_swept());
    pair.old.source.pause();
    const GOAWAY: u8 = 7;
    while frame() != GOAWAY {}
    upgraded.send("hello");
    assert_eq!(upgraded.bytes(5), b"hello");
    assert!(!pair.old.source.is_at_rest() && pair.old.passed_on() == 0);
    upgraded.end();
    upgraded.ends();
    until("nothing is left", || pair.old.source.is_at_rest());
    assert_eq!(pair.new.open(), 0);
}
