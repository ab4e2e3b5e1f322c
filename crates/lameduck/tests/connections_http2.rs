//! HTTP/2 at the drain, frame by frame; answers that need their headers read are asked for with h2.

#![allow(missing_docs, reason = "a test program")]

mod target;

use std::net::SocketAddr;

use lameduck_testkit::{Server, pause};
use target::frames::{
    DATA, GOAWAY, HEADERS, MAX_STREAM, Next, PING, PREFACE, RST_STREAM, RawHttp2,
};
use target::{
    SECOND, about, answered, answered_and_closed, clean, connect, drains_for, forced, ms, start,
    stop, target as command, turned_away,
};

/// The first byte of a response's header block that says `:status: 200` (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;

fn is_200(frame: &target::frames::Frame, stream: u32) -> bool {
    frame.kind == HEADERS && frame.stream == stream && frame.payload.first() == Some(&STATUS_200)
}

fn goaways(http2: &RawHttp2) -> Vec<u32> {
    let goaways = http2.seen().iter().filter(|frame| frame.kind == GOAWAY);
    goaways.map(|frame| frame.last_stream()).collect()
}

#[test]
fn streams_in_flight_end_between_two_goaways_and_the_connection_closes_in_order() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/sleep?ms=700");
    http2.get(3, "/stream?chunks=8&ms=100");
    http2.until("the stream's head", |frame| is_200(frame, 3));
    stop(&server);
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    assert_eq!(goaways(&http2), [MAX_STREAM, 3]);
    assert!(http2.seen().iter().any(|frame| is_200(frame, 1)));
    for stream in [1, 3] {
        assert!(http2.seen().iter().any(|frame| frame.ends_stream(stream)), "{stream}");
    }
    assert!(!http2.seen().iter().any(|frame| frame.kind == RST_STREAM));
    assert_eq!(clean(&server)["requests"]["completed"], 2);
}

#[test]
fn a_stream_that_crosses_the_first_goaway_is_served_and_one_after_the_last_is_not_processed() {
    // 1. The server announces its end: GOAWAY(2^31-1) and a PING, whose answer we hold back.
    // 2. A stream that we open now was on its way as far as the server knows: it must be served.
    // 3. We answer the PING; the server says which stream was the last.
    // 4. A stream beyond that one is not processed; those before it still end.
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.pongs = false;
    http2.get(1, "/sleep?ms=1500");
    pause(ms(100));
    stop(&server);
    let first = http2.until("GOAWAY", |frame| frame.kind == GOAWAY);
    assert_eq!(first.last_stream(), MAX_STREAM);
    let ping = http2.until("PING", |frame| frame.kind == PING);
    http2.get(3, "/");
    http2.send(PING, 1, 0, &ping.payload);
    let last = http2.until("the last GOAWAY", |frame| frame.kind == GOAWAY);
    assert_eq!(last.last_stream(), 3);
    http2.get(5, "/");
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    for stream in [1, 3] {
        assert!(http2.seen().iter().any(|frame| is_200(frame, stream)), "{stream}");
    }
    assert!(!http2.seen().iter().any(|frame| frame.kind <= HEADERS && frame.stream == 5));
    assert_eq!(clean(&server)["requests"]["completed"], 2);
}

#[test]
fn a6_an_endless_stream_of_requests_on_one_connection_cannot_keep_the_process_alive() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    let mut stopped = None;
    for number in 0.. {
        let stream = 2 * number + 1;
        if number == 50 {
            stopped = Some(stop(&server));
        }
        // Asked for all the same once it is too late: such a stream is not processed, and not an error.
        http2.get(stream, "/sleep?ms=1");
        match http2.next(ms(200)) {
            Next::Frame(_) | Next::Nothing => {}
            Next::Eof | Next::Reset => break,
        }
    }
    let exit = server.wait_exit(5 * SECOND);
    let took = exit.at - stopped.expect("the server does not close before it is stopped");
    assert!(took < 2 * SECOND, "{took:?}");
    let goaways = goaways(&http2);
    assert_eq!((goaways.len(), goaways[0]), (2, MAX_STREAM));
    // Every stream up to the last that the server named was answered whole.
    for stream in (1..=goaways[1]).step_by(2) {
        assert!(http2.seen().iter().any(|frame| frame.ends_stream(stream)), "{stream}");
    }
    clean(&server);
}

#[test]
fn an_idle_connection_closes_in_order() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/");
    assert_eq!(http2.body(1), b"OK");
    let at = stop(&server);
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    assert_eq!(goaways(&http2), [MAX_STREAM, 1]);
    assert!(at.elapsed() < 2 * SECOND, "{:?}", at.elapsed());
    clean(&server);
}

#[test]
fn a_peer_that_never_sends_settings_is_closed_at_the_end_of_the_idle_grace() {
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "500ms"));
    let mut http2 = RawHttp2::silent(server.addr());
    http2.client.send(PREFACE).unwrap();
    pause(ms(100));
    let at = stop(&server);
    assert_ne!(http2.end(5 * SECOND), Next::Nothing);
    about(at.elapsed(), ms(500));
    clean(&server);
}

#[test]
fn a_peer_that_stops_in_the_middle_of_its_preface_is_closed_at_the_end_of_the_idle_grace() {
    // 1. A part of the preface arrives that no HTTP/1 request can begin with.
    // 2. It was taken for half a head of HTTP/1, which is waited for until the drain deadline.
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "500ms"));
    let mut http2 = RawHttp2::silent(server.addr());
    http2.client.send(&PREFACE[..10]).unwrap();
    pause(ms(100));
    let at = stop(&server);
    assert_ne!(http2.end(6 * SECOND), Next::Nothing);
    about(at.elapsed(), ms(500));
    clean(&server);
}

#[test]
fn a_peer_that_sends_its_preface_within_the_idle_grace_is_served() {
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "2s"));
    let mut http2 = RawHttp2::silent(server.addr());
    stop(&server);
    pause(ms(200));
    http2.client.send(PREFACE).unwrap();
    http2.send(target::frames::SETTINGS, 0, 0, &[]);
    http2.get(1, "/");
    assert_eq!(http2.body(1), b"OK");
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    clean(&server);
}

#[test]
fn a_peer_that_never_answers_the_ping_gets_the_last_goaway_after_a_second() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.pongs = false;
    http2.get(1, "/sleep?ms=1800");
    pause(ms(100));
    let at = stop(&server);
    http2.until("the first GOAWAY", |frame| frame.kind == GOAWAY);
    let last = http2.until("the last GOAWAY", |frame| frame.kind == GOAWAY);
    about(at.elapsed(), SECOND);
    assert_eq!(last.last_stream(), 1);
    assert_ne!(http2.end(5 * SECOND), Next::Nothing);
    assert!(http2.seen().iter().any(|frame| is_200(frame, 1)), "{:?}", http2.seen());
    assert!(at.elapsed() < ms(1_800) + 2 * SECOND, "{:?}", at.elapsed());
    clean(&server);
}

#[test]
fn an_idle_peer_that_never_answers_the_ping_does_not_hold_the_exit() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.pongs = false;
    let at = stop(&server);
    assert_ne!(http2.end(5 * SECOND), Next::Nothing);
    assert!(at.elapsed() < 3 * SECOND, "{:?}", at.elapsed());
    clean(&server);
}

#[test]
fn at_the_drain_deadline_a_stream_whose_head_is_out_is_reset_and_others_are_told_503() {
    let server = start(drains_for("1s"));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/stream?chunks=1000&ms=100");
    http2.get(3, "/hang");
    http2.until("the stream's head", |frame| is_200(frame, 1));
    let at = stop(&server);
    assert_ne!(http2.end(5 * SECOND), Next::Nothing);
    about(at.elapsed(), SECOND);
    let seen = http2.seen();
    assert!(seen.iter().any(|frame| frame.resets(1)), "{seen:?}");
    assert!(seen.iter().any(|frame| frame.kind == HEADERS && frame.stream == 3), "{seen:?}");
    assert!(!seen.iter().any(|frame| is_200(frame, 3) || frame.resets(3)), "{seen:?}");
    assert!(seen.iter().any(|frame| frame.ends_stream(3)), "{seen:?}");
    let report = forced(&server);
    assert_eq!(report["requests"]["cut"], 1, "{report}");
    assert_eq!(report["requests"]["answered_503"], 1, "{report}");
}

#[test]
fn a_slow_reader_gets_its_whole_response() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    // 100 lines of 11 bytes: more than the window of a stream that was made small.
    http2.send(target::frames::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 64]);
    http2.get(1, "/stream?chunks=100&ms=0");
    http2.until("data", |frame| frame.kind == DATA);
    stop(&server);
    for _ in 0..20 {
        pause(ms(20));
        http2.widen(1, 64);
    }
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    let data = http2.seen().iter().filter(|frame| frame.kind == DATA);
    assert_eq!(data.map(|frame| frame.payload.len()).sum::<usize>(), 1_100);
    clean(&server);
}

#[test]
fn a_frame_that_crosses_the_end_does_not_destroy_the_response() {
    // 1. A response is whole in the server's socket, but its client reads slowly: most of it is not sent yet.
    // 2. To the server the last stream has ended: it closes the connection, and could exit.
    // 3. The client, still reading, sends a WINDOW_UPDATE, as every client does.
    // 4. A socket that is closed for reading answers it with a reset, and drops what it has not sent.
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    let _ = http2.client.socket().set_recv_buffer_size(128 * 1024);
    http2.send(target::frames::SETTINGS, 0, 0, &[0, 4, 0x20, 0, 0, 0]);
    http2.widen(0, 1 << 29);
    const PIECES: usize = 40;
    http2.wait_for_window();
    http2.head(1, "POST", "/echo", &[], false);
    for number in 0..PIECES {
        http2.send(DATA, u8::from(number + 1 == PIECES), 1, &[b'x'; 16 * 1024]);
    }
    pause(ms(500));
    stop(&server);
    // Without our answer to its PING the last GOAWAY, and the end, come after a second.
    pause(ms(1_200));
    http2.widen(1, 1);
    pause(ms(100));
    let end = http2.end(10 * SECOND);
    let data = http2.seen().iter().filter(|frame| frame.kind == DATA);
    let whole = PIECES * 16 * 1024;
    assert_eq!(data.map(|frame| frame.payload.len()).sum::<usize>(), whole, "{end:?}");
    assert_eq!(end, Next::Eof);
    clean(&server);
}

#[test]
fn a_reader_that_never_opens_its_window_is_cut() {
    let server = start(drains_for("1s"));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.send(target::frames::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 64]);
    http2.get(1, "/stream?chunks=100&ms=0");
    http2.until("data", |frame| frame.kind == DATA);
    let at = stop(&server);
    assert_ne!(http2.end(5 * SECOND), Next::Nothing);
    about(at.elapsed(), SECOND);
    assert!(http2.seen().iter().any(|frame| frame.resets(1)), "{:?}", http2.seen());
    let report = forced(&server);
    assert_eq!(report["requests"]["cut"], 1, "{report}");
    assert_eq!(report["stuck"][0]["doing"], "writing the response");
}

#[test]
fn a_peer_that_reads_nothing_at_all_does_not_hold_the_exit() {
    let server = start(drains_for("1s"));
    let mut http2 = RawHttp2::connect(server.addr());
    // SETTINGS_INITIAL_WINDOW_SIZE, far above what is sent.
    http2.send(target::frames::SETTINGS, 0, 0, &[0, 4, 0x20, 0, 0, 0]);
    http2.widen(0, 1 << 29);
    for stream in 0..50 {
        http2.get(2 * stream + 1, "/stream?chunks=100000000&ms=0");
    }
    pause(ms(300));
    let at = stop(&server);
    forced(&server);
    about(server.wait_exit(SECOND).at - at, SECOND);
}

#[test]
fn a_stream_that_the_client_resets_disturbs_no_other() {
    const CANCEL: [u8; 4] = 8_u32.to_be_bytes();
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/hang");
    http2.get(3, "/sleep?ms=600");
    pause(ms(100));
    stop(&server);
    http2.send(RST_STREAM, 0, 1, &CANCEL);
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    assert!(http2.seen().iter().any(|frame| is_200(frame, 3)));
    let report = clean(&server);
    assert_eq!(report["requests"]["completed"], 1);
    assert_eq!(report["requests"]["gone"], 1);
}

#[test]
fn an_upload_ends_and_is_answered() {
    let server = start(command());
    let mut http2 = RawHttp2::connect(server.addr());
    http2.head(1, "POST", "/echo", &[], false);
    http2.send(DATA, 0, 1, b"first ");
    pause(ms(100));
    stop(&server);
    pause(ms(600));
    http2.send(DATA, 1, 1, b"second");
    assert_eq!(http2.body(1), b"first second");
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    clean(&server);
}

#[test]
fn a_preface_that_comes_byte_by_byte_is_detected() {
    let server = start(command());
    let mut http2 = RawHttp2::silent(server.addr());
    for byte in PREFACE {
        http2.client.send(&[*byte]).unwrap();
        pause(ms(5));
    }
    http2.send(target::frames::SETTINGS, 0, 0, &[]);
    http2.get(1, "/");
    assert_eq!(http2.body(1), b"OK");
    stop(&server);
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    clean(&server);
}

#[test]
fn a_request_that_begins_like_the_preface_is_http_1() {
    let server = start(command().env("LAMEDUCK_IDLE_GRACE", "2s"));
    let addr: SocketAddr = server.addr();
    for (beginning, rest) in [
        ("P", "OST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody"),
        ("PR", "OPFIND / HTTP/1.1\r\nHost: test\r\n\r\n"),
        ("PRI", "NT / HTTP/1.1\r\nHost: test\r\n\r\n"),
    ] {
        let mut client = target::connect_to(addr);
        client.send(beginning.as_bytes()).unwrap();
        pause(ms(50));
        client.send(rest.as_bytes()).unwrap();
        let response = client.read_response().unwrap();
        let expected = if beginning == "P" { 200 } else { 405 };
        assert_eq!(response.status, expected, "{beginning}");
    }
    // The same in the drain, where it is half a head of either.
    let mut client = connect(&server);
    client.send(b"P").unwrap();
    pause(ms(100));
    stop(&server);
    pause(ms(2_500));
    client.send(b"OST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody").unwrap();
    assert_eq!(answered_and_closed(&mut client).text(), "body");
    clean(&server);
}

#[test]
fn http_1_and_http_2_on_one_port_are_each_told_in_their_own_way() {
    let server = start(drains_for("1s"));
    let mut http2 = RawHttp2::connect(server.addr());
    let mut http1 = connect(&server);
    http2.get(1, "/sleep?ms=500");
    http1.get("/sleep?ms=500").unwrap();
    let mut hanging = connect(&server);
    hanging.get("/hang").unwrap();
    pause(ms(100));
    stop(&server);
    assert!(answered(&mut http1).says_close());
    assert_eq!(http2.end(5 * SECOND), Next::Eof);
    assert!(!http2.seen().iter().any(|frame| frame.kind == RST_STREAM));
    turned_away(&mut hanging);
    forced(&server);
}

/// Asks for `/hang` with h2 and stops the server; what came.
fn hangs_over_h2(server: &Server, request: http::Request<()>) -> http::Response<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = target::stream_for_h2(server.addr()).await;
        let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
        let _connection = tokio::runtime::Handle::current().spawn(connection);
        let (response, _) = client.send_request(request, true).unwrap();
        tokio::time::sleep(ms(100)).await;
        server.signal(lameduck_testkit::Signal::TERM);
        let response = tokio::time::timeout(5 * SECOND, response).await.unwrap().unwrap();
        let (parts, mut stream) = response.into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            body.extend(data.unwrap());
        }
        http::Response::from_parts(parts, body)
    })
}

fn request(method: &str, content_type: Option<&str>) -> http::Request<()> {
    let mut request = http::Request::builder().method(method).uri("http://test/hang");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(()).unwrap()
}

#[test]
fn a_hanging_get_is_told_503_and_invited_to_repeat() {
    let server = start(drains_for("1s"));
    let response = hangs_over_h2(&server, request("GET", None));
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    // A header that HTTP/2 forbids (RFC 9113, section 8.2.2).
    assert!(!response.headers().contains_key("connection"));
    assert_eq!(forced(&server)["stuck"][0]["name"], "GET /hang");
}

#[test]
fn a_hanging_post_is_told_that_its_outcome_is_unknown() {
    let server = start(drains_for("1s"));
    let response = hangs_over_h2(&server, request("POST", None));
    assert_eq!(response.status(), 503);
    assert!(!response.headers().contains_key("retry-after"));
    assert!(String::from_utf8_lossy(response.body()).contains("outcome is unknown"));
    assert_eq!(forced(&server)["requests"]["interrupted"], 1);
}

#[test]
fn a_grpc_call_is_told_status_14() {
    let server = start(drains_for("1s"));
    let response = hangs_over_h2(&server, request("POST", Some("application/grpc+proto")));
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "14");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.body(), b"");
    forced(&server);
}
