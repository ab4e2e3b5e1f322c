//! What a client says about each way in which a request can end.

#![allow(missing_docs, reason = "a test program")]

use std::io::Write;
use std::time::Duration;

use lameduck_testkit::{Client, Ending, Failure, Look, Outcome, Response, eventually, free_port};

#[allow(dead_code, reason = "each test program uses some of it")]
mod common;
use common::{answers_and_resets, answers_ok, answers_once, read_head, reset, serve};

const SECOND: Duration = Duration::from_secs(1);
/// How long anything may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(10);

fn ask(addr: std::net::SocketAddr) -> Result<Response, Failure> {
    let mut client = Client::connect(addr)?.limit(SECOND);
    client.get("/")?;
    client.read_response()
}

fn outcome(addr: std::net::SocketAddr) -> Outcome {
    ask(addr).map_or_else(|failure| failure.outcome(), |response| response.outcome())
}

#[test]
fn a_body_with_a_length_is_whole_when_its_bytes_are_there() {
    let response =
        ask(answers_once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Why:  because \r\n\r\nhello"))
            .unwrap();
    assert_eq!((response.status, response.text().as_ref()), (200, "hello"));
    assert_eq!(response.header("x-why"), Some("because"));
    assert!(response.raw_head.ends_with(b"because \r\n\r\n"));
    assert_eq!(response.outcome(), Outcome::Answered);
}

#[test]
fn a_body_shorter_than_its_length_is_cut() {
    let failure =
        ask(answers_once("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello")).unwrap_err();
    assert!(
        matches!(&failure, Failure::Cut { reset: false, received } if received.ends_with(b"hello")),
        "{failure}"
    );
}

#[test]
fn a_chunked_body_is_whole_after_its_last_chunk_and_trailers() {
    let addr = answers_once(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 13\r\n\r\n",
    );
    let response = ask(addr).unwrap();
    assert_eq!(response.text(), "abc0123456789");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "13".to_owned())]);
}

#[test]
fn a_chunked_body_without_its_last_chunk_is_cut() {
    let addr = answers_once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_eq!(outcome(addr), Outcome::Cut);
}

#[test]
fn a_body_without_a_length_ends_with_the_stream() {
    let response = ask(answers_once("HTTP/1.0 200 OK\r\n\r\nuntil the end")).unwrap();
    assert_eq!(response.text(), "until the end");
    assert!(response.says_close());
}

#[test]
fn a_body_without_a_length_that_is_reset_is_cut() {
    let failure = ask(answers_and_resets("HTTP/1.0 200 OK\r\n\r\nuntil")).unwrap_err();
    assert!(matches!(failure, Failure::Cut { reset: true, .. }), "{failure}");
}

#[test]
fn half_a_head_is_cut() {
    assert_eq!(outcome(answers_once("HTTP/1.1 200 OK\r\nContent-")), Outcome::Cut);
}

#[test]
fn closing_without_a_byte_loses_the_request() {
    assert_eq!(ask(answers_once("")).unwrap_err(), Failure::Closed);
}

#[test]
fn a_reset_without_a_byte_loses_the_request() {
    let failure = ask(answers_and_resets("")).unwrap_err();
    assert_eq!((failure.outcome(), failure), (Outcome::Lost, Failure::Reset));
}

#[test]
fn a_server_that_never_answers_hangs_the_request() {
    let addr = serve(|mut stream| {
        read_head(&mut stream);
        lameduck_testkit::pause(3 * SECOND);
    });
    assert_eq!(outcome(addr), Outcome::Hung);
}

#[test]
fn nobody_listening_refuses() {
    assert_eq!(outcome(([127, 0, 0, 1], free_port()).into()), Outcome::Refused);
}

#[test]
fn a_whole_503_turns_away() {
    assert_eq!(
        outcome(answers_once("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")),
        Outcome::TurnedAway
    );
}

#[test]
fn what_is_no_http_is_bad() {
    assert_eq!(outcome(answers_once("SSH-2.0-OpenSSH\r\n")), Outcome::Bad);
}

#[test]
fn interim_responses_are_recorded_and_skipped() {
    let addr = answers_once(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    );
    let response = ask(addr).unwrap();
    assert_eq!((response.interim, response.status), (vec![100, 103], 204));
}

#[test]
fn a_response_to_head_has_no_body_whatever_its_length_says() {
    let addr = answers_once("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
    let mut client = Client::connect(addr).unwrap();
    client.send(b"HEAD / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(client.read_response_to("HEAD").unwrap().status, 200);
}

#[test]
fn pipelined_responses_are_taken_one_by_one() {
    let mut client = Client::connect(answers_ok()).unwrap();
    client.send(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(client.read_response().unwrap().text(), "OK");
    assert_eq!(client.read_response().unwrap().text(), "OK");
    assert_eq!(client.look(), Look::Open);
    assert_eq!(client.ending(Duration::from_millis(20)), Ending::Open);
}

#[test]
fn a_look_tells_that_an_idle_connection_was_closed_or_reset() {
    let mut closed = Client::connect(serve(drop)).unwrap();
    assert!(eventually(LIMIT, || closed.look() == Look::Eof));
    assert!(closed.closed_cleanly(LIMIT));

    let mut was_reset = Client::connect(serve(reset)).unwrap();
    assert!(eventually(LIMIT, || was_reset.look() == Look::Reset));
    // The kernel reports a reset once; the client goes on knowing it.
    assert_eq!(was_reset.look(), Look::Reset);
    assert_eq!(was_reset.ending(LIMIT), Ending::Reset);
    was_reset.get("/").unwrap();
    assert_eq!(was_reset.read_response().unwrap_err(), Failure::Unsent);
}

#[test]
fn an_early_answer_counts_though_the_upload_broke() {
    let addr = serve(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        lameduck_testkit::pause(Duration::from_millis(50));
    });
    let mut client = Client::connect(addr).unwrap().limit(LIMIT);
    client.post("/", &vec![0; 30 << 20]).unwrap();
    assert_eq!(client.read_response().unwrap().status, 413);
}

#[test]
fn waiting_for_a_part_leaves_it_to_be_read() {
    let addr = serve(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        lameduck_testkit::pause(Duration::from_millis(50));
        let _ = stream.write_all(b"-rest");
    });
    let mut client = Client::connect(addr).unwrap();
    client.get("/").unwrap();
    client.wait_for("first", LIMIT).unwrap();
    assert_eq!(client.read_response().unwrap().text(), "first-rest");
}

#[test]
fn a_unix_socket_serves_as_well() {
    use std::os::unix::net::UnixListener;
    let path = std::env::temp_dir().join(format!("lameduck-kit-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix").unwrap();
    });
    let mut client = Client::connect_unix(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    client.get("/").unwrap();
    assert_eq!(client.read_response().unwrap().text(), "unix");
}
