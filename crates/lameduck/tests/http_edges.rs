//! Requests, responses and upgraded connections of which the ordinary ones say nothing: bodies that nobody reads, ends that
//! are told in another way, halves that end apart.

#![allow(missing_docs, reason = "a test program")]

mod own;

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::{any, get, post};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use lameduck_testkit::{Client, Ending, eventually, pause};
use own::{SECOND, served};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MS: Duration = Duration::from_millis(1);

#[expect(clippy::disallowed_methods, reason = "what the handler begins is to outlive it")]
fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) {
    drop(tokio::spawn(future));
}

/// Reads to the end of the stream, or an error.
fn rest(mut socket: &TcpStream) -> (Vec<u8>, io::Result<()>) {
    socket.set_read_timeout(Some(5 * SECOND)).expect("a timeout");
    let mut bytes = Vec::new();
    let ended = socket.read_to_end(&mut bytes).map(drop);
    (bytes, ended)
}

fn ask(addr: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(addr).expect("a connection");
    socket.write_all(request.as_bytes()).expect("sent");
    socket
}

/// Takes its connection over: ends its own half after a moment, and counts what comes on the other.
async fn tunnel(request: Request, count: Arc<AtomicUsize>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(request);
    spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (mut reader, mut writer) = tokio::io::split(hyper_util::rt::TokioIo::new(upgraded));
        let write = async {
            let _ = writer.write_all(b"hello").await;
            tokio::time::sleep(300 * MS).await;
            let _ = writer.shutdown().await;
        };
        let read = async {
            let mut buf = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = reader.read(&mut buf).await {
                count.fetch_add(read, Ordering::SeqCst);
                // Slower than they come, so that some always wait.
                tokio::time::sleep(MS).await;
            }
        };
        futures_util::future::join(write, read).await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "tunnel")
        .body(Body::empty())
        .expect("a response")
}

#[test]
fn an_upgraded_connection_ends_one_half_and_loses_nothing_of_the_other() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let router =
        Router::new().route("/tunnel", any(move |request| tunnel(request, Arc::clone(&counted))));
    let (sent, _) = served(
        5 * SECOND,
        router,
        |http| http,
        move |addr| {
            let mut client = ask(
                addr,
                "GET /tunnel HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: tunnel\r\n\r\n",
            );
            let reader = client.try_clone().expect("a clone");
            let reading = std::thread::spawn(move || {
                let ended = rest(&reader);
                (ended, Instant::now())
            });
            let (mut sent, begun) = (0, Instant::now());
            while begun.elapsed() < SECOND {
                client.write_all(&[b'z'; 10_000]).expect("somebody reads it");
                sent += 10_000;
            }
            client.shutdown(Shutdown::Write).expect("half closed");
            let over = Instant::now();
            let ((bytes, ended), at) = reading.join().expect("no panic");
            ended.expect("the end of the stream");
            assert!(bytes.ends_with(b"\r\n\r\nhello"), "{}", String::from_utf8_lossy(&bytes));
            assert!(at < over, "while the other half went on");
            assert!(eventually(5 * SECOND, || count.load(Ordering::SeqCst) == sent), "{count:?}");
            sent
        },
    );
    assert!(sent > 100_000, "{sent}");
}

/// Asks on a kept connection, whose request's body comes by itself and is read by nobody.
fn unread(addr: SocketAddr, gap: Duration) -> Client {
    let mut client = Client::connect(addr).expect("a connection");
    client.get("/").expect("sent");
    assert_eq!(client.read_response().expect("an answer").status, 200);
    client.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n").expect("sent");
    pause(gap);
    client.send(b"hello").expect("sent");
    assert_eq!(client.read_response().expect("an answer").status, 200);
    client
}

#[test]
fn the_rest_of_a_body_that_nobody_reads_is_no_head() {
    let router = Router::new().route("/", any(async || "OK"));
    let tune = |http: lameduck::Http| http.header_timeout(SECOND);
    let (mut clients, report) = served(5 * SECOND, router, tune, |addr| {
        let mut clients: Vec<Client> =
            (0..200).map(|number| unread(addr, Duration::from_micros(number % 40))).collect();
        // hyper closes those whose rest was not there when it looked: in order.
        pause(3 * SECOND);
        clients.retain_mut(|client| client.ending(5 * MS) == Ending::Open);
        println!("{} are open", clients.len());
        assert!(!clients.is_empty());
        for client in &mut clients {
            client.get("/").expect("sent");
            assert_eq!(client.read_response().expect("an answer").status, 200);
        }
        // Once more, and the stop finds them so.
        clients.retain_mut(|client| {
            client.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n").expect("sent");
            client.send(b"hello").expect("sent");
            client.read_response().is_ok()
        });
        clients
    });
    let ends: Vec<Ending> = clients.iter_mut().map(|client| client.ending(SECOND)).collect();
    assert!(ends.iter().all(|ending| *ending == Ending::Eof), "{ends:?}");
    assert_eq!((report.outcome, report.requests.answered_503), (lameduck::Outcome::Clean, 0));
    assert!(report.took < 3 * SECOND, "no more than the idle grace: {report}");
}

#[test]
fn a_body_that_is_read_on_behind_the_response_comes_whole_and_ends() {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let background = async move |body: Body| {
        spawn(async move {
            let Ok(body) = body.collect().await else { return };
            count.store(body.to_bytes().len(), Ordering::SeqCst);
        });
        "accepted"
    };
    let router = Router::new().route("/", post(background));
    let tune = |http: lameduck::Http| http.header_timeout(SECOND);
    let ((), _) = served(5 * SECOND, router, tune, move |addr| {
        let mut client = Client::connect(addr).expect("a connection");
        client.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 200\r\n\r\n").expect("sent");
        assert_eq!(client.read_response().expect("an answer").status, 200);
        // For longer than a head may take.
        for _ in 0..20 {
            client.send(b"0123456789").expect("sent");
            pause(100 * MS);
        }
        assert!(eventually(2 * SECOND, || read.load(Ordering::SeqCst) == 200), "{read:?}");
    });
}

#[test]
fn a_fresh_connection_is_kept_behind_as_much_of_an_unread_body_as_an_old_one() {
    let router = Router::new().route("/", any(async || "OK"));
    let (kept, _) = served(
        5 * SECOND,
        router,
        |http| http,
        |addr| {
            let kept = |fresh: bool, size: usize| {
                let mut client = Client::connect(addr).expect("a connection");
                if !fresh {
                    client.get("/").expect("sent");
                    client.read_response().expect("an answer");
                }
                let head = format!("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {size}\r\n\r\n");
                client.send(&[head.into_bytes(), vec![b'b'; size]].concat()).expect("sent");
                assert_eq!(client.read_response().expect("an answer").status, 200);
                client.ending(100 * MS) == Ending::Open && {
                    client.get("/").expect("sent");
                    client.read_response().is_ok()
                }
            };
            [9_000, 12_000, 14_000].map(|size| [kept(true, size), kept(false, size)])
        },
    );
    assert_eq!(kept, [[true; 2]; 3]);
}

fn sized() -> Response<Body> {
    let parts = ["hello", "world"].map(Ok::<_, Infallible>);
    let body = Body::from_stream(stream::iter(parts));
    Response::builder().header("content-length", "10").body(body).expect("a response")
}

fn with_trailers() -> Response<Body> {
    let trailers =
        HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))]);
    let trailers = std::future::ready(Some(Ok::<_, Infallible>(trailers)));
    let body = http_body_util::Full::new(Bytes::from_static(b"hello")).with_trailers(trailers);
    Response::builder().header("trailer", "x-sum").body(Body::new(body)).expect("a response")
}

#[test]
fn a_response_is_completed_however_its_end_is_told() {
    for path in ["/sized", "/trailers", "/"] {
        let router = Router::new()
            .route("/", get(async || "OK"))
            .route("/sized", get(async || sized()))
            .route("/trailers", get(async || with_trailers()));
        // Requests count from the stop on: this one is asked within the idle grace.
        let (asking, report) = served(
            5 * SECOND,
            router,
            |http| http,
            move |addr| {
                let mut client = Client::connect(addr).expect("a connection");
                client.get("/").expect("sent");
                client.read_response().expect("an answer");
                std::thread::spawn(move || {
                    pause(50 * MS);
                    let request = format!("GET {path} HTTP/1.1\r\nHost: t\r\nTE: trailers\r\n\r\n");
                    client.send(request.as_bytes()).expect("sent");
                    client.read_response().expect("an answer").status
                })
            },
        );
        assert_eq!(asking.join().expect("no panic"), 200, "{path}");
        let counts = report.requests;
        // The first one may be counted a moment after its client has read it.
        assert!(counts.completed >= 1, "{path}: {counts:?}");
        assert_eq!((counts.gone, counts.cut), (0, 0), "{path}: {counts:?}");
    }
}

/// Three parts, or two and an error or a panic.
async fn broken(panics: bool) -> Response<Body> {
    Response::new(Body::from_stream(stream::iter(0..3).then(move |part| async move {
        tokio::time::sleep(30 * MS).await;
        assert!(part < 2 || !panics, "the disk is gone");
        if part < 2 { Ok("part\n") } else { Err(io::Error::other("the disk is gone")) }
    })))
}

#[test]
fn a_response_that_ends_with_its_connection_ends_by_a_reset_if_it_is_not_whole() {
    let router = Router::new()
        .route("/error", get(|| broken(false)))
        .route("/panic", get(|| broken(true)))
        .route(
            "/whole",
            get(async || Body::from_stream(stream::iter([Ok::<_, Infallible>("all")]))),
        );
    let (ends, _) = served(
        5 * SECOND,
        router,
        |http| http,
        |addr| {
            ["/error", "/panic", "/whole"].map(|path| {
                let (bytes, ended) = rest(&ask(addr, &format!("GET {path} HTTP/1.0\r\n\r\n")));
                (bytes.ends_with(b"all"), ended.map_err(|error| error.kind()))
            })
        },
    );
    let reset = (false, Err(io::ErrorKind::ConnectionReset));
    assert_eq!(ends, [reset, reset, (true, Ok(()))]);
}

/// Blocks both threads of the runtime beyond the drain deadline of half a second, from now on.
fn starve(addr: SocketAddr) -> [TcpStream; 2] {
    let sockets = [(); 2].map(|()| ask(addr, "GET /starve HTTP/1.1\r\nHost: t\r\n\r\n"));
    pause(50 * MS);
    sockets
}

fn starving() -> Router {
    let slowly = async || {
        Body::from_stream(stream::repeat("line\n").then(async |line| {
            tokio::time::sleep(20 * MS).await;
            Ok::<_, Infallible>(line)
        }))
    };
    #[expect(clippy::disallowed_methods, reason = "blocking a thread is what this is for")]
    let starve = async || std::thread::sleep(2 * SECOND);
    Router::new().route("/starve", get(starve)).route("/slowly", get(slowly))
}

#[test]
fn half_a_head_that_the_supervisor_has_answered_counts_once() {
    let (_open, report) = served(
        SECOND / 2,
        starving(),
        |http| http,
        |addr| {
            let half = ask(addr, "GET / HT");
            pause(200 * MS);
            (half, starve(addr))
        },
    );
    assert_eq!(report.requests.answered_503, 3, "{report}");
}

#[test]
fn a_response_that_is_severed_is_counted_and_does_not_look_whole() {
    let (reading, report) = served(
        SECOND / 2,
        starving(),
        |http| http,
        |addr| {
            let slow = ask(addr, "GET /slowly HTTP/1.0\r\n\r\n");
            pause(200 * MS);
            let _starved = starve(addr);
            std::thread::spawn(move || rest(&slow).1.map_err(|error| error.kind()))
        },
    );
    let ended = reading.join().expect("no panic");
    assert_eq!(ended, Err(io::ErrorKind::ConnectionReset));
    assert_eq!((report.requests.cut, report.connections.cut), (1, 1), "{report}");
}

/// Prints the fewest segments that ten clients got until they had their answers, of the request that comes behind the port
/// in the arguments. Those that say so read to the end of the stream first.
const SEGMENTS: &str = r#"
import socket, struct, sys
def segments(head):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.settimeout(5)
    s.sendall(head.encode() + b"\r\n\r\n")
    got = b""
    while not got.endswith(b"\r\n\r\nOK"): got += s.recv(4096)
    if sys.argv[2] == "ends": assert s.recv(1) == b""
    # tcpi_segs_in
    return struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 200), 140)[0]
print(min(segments(sys.argv[3]) for _ in range(10)))
"#;

#[test]
fn the_last_response_of_a_connection_comes_with_its_end() {
    let router = Router::new().route("/", get(async || "OK"));
    let (counts, _) = served(
        SECOND,
        router,
        |http| http,
        |addr| {
            let count = |ends: &str, head: &str| {
                let python = std::process::Command::new("python3")
                    .args(["-c", SEGMENTS, &addr.port().to_string(), ends, head])
                    .output()
                    .expect("python3 runs");
                let out = String::from_utf8_lossy(&python.stdout).trim().parse::<u32>();
                out.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&python.stderr)))
            };
            let kept = count("goes on", "GET / HTTP/1.1\r\nHost: t");
            let closed = count("ends", "GET / HTTP/1.1\r\nHost: t\r\nconnection: Close");
            let old = count("ends", "GET / HTTP/1.0");
            [kept, closed, old]
        },
    );
    // The end of the stream would be one more.
    assert_eq!(counts, [counts[0]; 3]);
}

#[test]
fn the_last_response_does_not_wait_for_an_end_that_does_not_come_yet() {
    const CLIENTS: u32 = 20;
    // What the kernel would hold it back for.
    const HELD: Duration = Duration::from_millis(200);
    let (tell, told) = std::sync::mpsc::channel();
    let background = async move |body: Body| {
        spawn(async move {
            let read = body.collect().await.map(|body| body.to_bytes().len());
            let _ = tell.send(read.unwrap_or(0));
        });
        "accepted"
    };
    let router = Router::new().route("/", post(background));
    let (took, report) = served(
        5 * SECOND,
        router,
        |http| http,
        move |addr| {
            let began = Instant::now();
            let clients: Vec<Client> = (0..CLIENTS)
                .map(|_| {
                    let mut client = Client::connect(addr).expect("a connection");
                    client
                        .send(b"POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf")
                        .expect("sent");
                    assert_eq!(client.read_response().expect("an answer").status, 200);
                    client
                })
                .collect();
            let took = began.elapsed();
            for mut client in clients {
                client.send(b"-more").expect("sent");
                assert_eq!(told.recv_timeout(5 * SECOND), Ok(9));
                assert_eq!(client.ending(2 * SECOND), Ending::Eof);
            }
            took
        },
    );
    assert!(took < HELD * CLIENTS / 2, "{took:?}");
    assert_eq!(report.outcome, lameduck::Outcome::Clean);
}
