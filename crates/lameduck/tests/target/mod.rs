//! What the tests of the example `target` share.

#![allow(dead_code, reason = "each test program uses a part of it")]

mod certificate;
pub(crate) mod frames;
pub(crate) mod websocket;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lameduck_testkit::{
    Client, Exit, Response, Server, ServerCommand, Signal, eventually, example, speak_tls,
    speaks_tls, trusting_anyone,
};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use self::certificate::certificate;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Room for a machine that has other things to do.
pub(crate) const ROOM: Duration = Duration::from_secs(2);

pub(crate) const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Whether these are the tests once more over TLS: the program `tls` holds them all.
const OVER_TLS: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"tls");

/// Has the clients of this program speak TLS, where it is the one whose servers do.
pub(crate) fn over_tls() -> bool {
    if OVER_TLS {
        speak_tls();
    }
    OVER_TLS
}

/// The example `target` on a free port: drain 5 s, idle grace 250 ms.
pub(crate) fn target() -> ServerCommand {
    let command = Server::command(example("target")).port();
    if !over_tls() {
        return command;
    }
    let certificate = certificate();
    command.env("TLS_CERT", certificate.certificate()).env("TLS_KEY", certificate.key())
}

/// The same with another drain: "1s".
pub(crate) fn drains_for(drain: &str) -> ServerCommand {
    target().env("LAMEDUCK_DRAIN", drain)
}

/// Starts it and waits until it serves.
pub(crate) fn start(command: ServerCommand) -> Server {
    let server = command.start();
    server.wait_for_stderr("ready after", 20 * SECOND);
    server
}

pub(crate) fn connect(server: &Server) -> Client {
    connect_to(server.addr())
}

pub(crate) fn connect_to(addr: SocketAddr) -> Client {
    Client::connect(addr).expect("the server listens")
}

/// A stream for a client of HTTP/2 that is not ours.
pub(crate) async fn stream_for_h2(addr: SocketAddr) -> impl AsyncRead + AsyncWrite + Unpin + Send {
    let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    if !speaks_tls() {
        return tokio_util::either::Either::Left(socket);
    }
    let name = "localhost".try_into().unwrap();
    let connector = tokio_rustls::TlsConnector::from(trusting_anyone(&["h2"]));
    tokio_util::either::Either::Right(connector.connect(name, socket).await.unwrap())
}

/// A connection on which one request was answered.
pub(crate) fn idle(server: &Server) -> Client {
    let mut client = connect(server);
    client.get("/").unwrap();
    let response = answered(&mut client);
    assert!(!response.says_close(), "{response:?}");
    client
}

/// Begins the stop; returns when the listener has been told and is closed. The instant is that of the signal.
#[track_caller]
pub(crate) fn stop(server: &Server) -> Instant {
    let at = server.signal(Signal::TERM);
    server.wait_for_stderr("lameduck: draining", 5 * SECOND);
    // The log is ahead of the parts that are told to stop.
    assert!(eventually(5 * SECOND, || !listens(server.addr())), "{}", server.transcript());
    at
}

/// Whether anybody listens there: nobody else can be bound to it as long.
fn listens(addr: SocketAddr) -> bool {
    use socket2::{Domain, Socket, Type};

    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option of every socket");
    socket.bind(&addr.into()).is_err()
}

/// Reads a whole 200.
#[track_caller]
pub(crate) fn answered(client: &mut Client) -> Response {
    let response = match client.read_response() {
        Ok(response) => response,
        Err(failure) => panic!("no whole response: {failure}"),
    };
    assert_eq!(response.status, 200, "{response:?}");
    response
}

/// Reads a whole 200 that says `Connection: close`, and then the orderly end.
#[track_caller]
pub(crate) fn answered_and_closed(client: &mut Client) -> Response {
    let response = answered(client);
    assert!(response.says_close(), "{response:?}");
    assert!(client.closed_cleanly(2 * SECOND), "the connection did not end in order");
    response
}

/// Reads a whole 503 that says `Connection: close`.
#[track_caller]
pub(crate) fn turned_away(client: &mut Client) -> Response {
    let response = match client.read_response() {
        Ok(response) => response,
        Err(failure) => panic!("no whole response: {failure}"),
    };
    assert_eq!(response.status, 503, "{response:?}");
    assert!(response.says_close(), "{response:?}");
    response
}

/// Waits for an exit with this code that the report confirms.
#[track_caller]
pub(crate) fn exit(server: &Server, code: i32) -> Exit {
    let exit = server.wait_exit(20 * SECOND);
    assert_eq!(exit.code, Some(code), "{}", server.transcript());
    assert_eq!(exit.report()["exit_code"], code, "{}", server.transcript());
    exit
}

/// A clean exit: nothing cut, nothing stuck. Returns the report.
#[track_caller]
pub(crate) fn clean(server: &Server) -> Value {
    let report = exit(server, 0).report();
    assert_eq!(report["outcome"], "clean");
    assert_eq!(report["stuck"], Value::Array(Vec::new()), "{report}");
    for nothing in ["answered_503", "interrupted", "cut"] {
        assert_eq!(report["requests"][nothing], 0, "{nothing}: {report}");
    }
    assert_eq!(report["connections"]["cut"], 0, "{report}");
    report
}

/// A forced exit. Returns the report.
#[track_caller]
pub(crate) fn forced(server: &Server) -> Value {
    let report = exit(server, 75).report();
    assert_eq!(report["outcome"], "forced");
    report
}

/// Asserts that something took at least `least`, and at most that and some room.
#[track_caller]
pub(crate) fn about(took: Duration, least: Duration) {
    // The server's clock of connections counts whole milliseconds.
    assert!(took + ms(5) >= least, "{took:?} is less than {least:?}");
    assert!(took <= least + ROOM, "{took:?} is much more than {least:?}");
}
