//! Whatever a client sends, and however it goes: the connection ends, and each of its requests is counted once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body as Answer;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{sleep, timeout};

use super::*;
use crate::connections::{Limits, Mode};
use crate::http::opening::protocol;
use crate::http::testing::{add, connections, opened, runtime};
use crate::report::Totals;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any handler and any lingering close; the clock stands still while there is something to do.
const LONG: Duration = Duration::from_secs(3600);

/// The idle grace is over, and no other limit.
const SOON: Duration = Duration::from_secs(2);

/// How the client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It closes its half and reads on.
    HalfClose,
    /// It is gone.
    Drop,
    /// It stays; the server drains, and comes to its deadline: before or after every limit of the connection's own.
    Drain { late: bool },
}

/// What a client does.
#[derive(Clone, Debug)]
struct Client {
    sent: Vec<u8>,
    /// How much of that was read before the connection is made.
    first: usize,
    cuts: Vec<Index>,
    /// Milliseconds between two of its pieces.
    pause: u64,
    /// How many bytes are held between it and the server.
    held: usize,
    reads: bool,
    end: End,
}

fn clients() -> impl Strategy<Value = Client> {
    (
        sent(),
        any::<Index>(),
        prop::collection::vec(any::<Index>(), 0..8),
        prop_oneof![Just(0), Just(7), Just(40)],
        1_usize..3000,
        any::<bool>(),
        prop_oneof![
            1 => Just(End::HalfClose),
            1 => Just(End::Drop),
            1 => Just(End::Drain { late: true }),
            2 => Just(End::Drain { late: false }),
        ],
    )
        .prop_map(|(sent, first, cuts, pause, held, reads, end)| {
            // One that stays and reads nothing is the supervisor's to cut off.
            let reads = reads || end != End::Drop;
            let first = first.index(sent.len() + 1);
            Client { sent, first, cuts, pause, held, reads, end }
        })
}

/// Requests, parts of them and other bytes behind one another, some bytes of which are changed.
fn sent() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::collection::vec(prop_oneof![4 => http1(), 1 => http2(), 1 => noise()], 0..6);
    // All of HTTP/2 begins with its preface.
    let spoken = prop_oneof![
        2 => parts,
        1 => prop::collection::vec(prop_oneof![5 => http2(), 1 => noise()], 0..8)
            .prop_map(|parts| [vec![PREFACE.to_vec(), frame(4, 0, 0, &[])], parts].concat()),
    ];
    let changes = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ];
    (spoken, changes).prop_map(|(parts, changes)| {
        let mut bytes = parts.concat();
        for (at, byte) in changes {
            // An index needs something to point into.
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn http1() -> impl Strategy<Value = Vec<u8>> {
    let methods = prop_oneof![
        3 => prop::sample::select(vec!["GET", "HEAD", "POST", "PUT"]),
        1 => prop::sample::select(vec!["CONNECT", "PRI", "P"]),
    ];
    let paths = prop_oneof![
        2 => prop::sample::select(vec![
            "/", "/echo", "/ignore", "/slow", "/stream", "/broken", "/error", "/panic", "*",
        ]),
        1 => Just("/long"),
    ];
    let rest = prop::sample::select(vec![
        " HTTP/1.1\r\nHost: t\r\n\r\n",
        " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
        " HTTP/1.0\r\n\r\n",
        " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        " HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello",
        " HTTP/1.1\r\nHost: t\r\nContent-Length: 3000\r\n\r\nnot all of it",
        " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        " HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        " HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        " HTTP/1.1\r\nHo",
    ]);
    (methods, paths, rest)
        .prop_map(|(method, path, rest)| format!("{method} {path}{rest}").into_bytes())
}

fn http2() -> impl Strategy<Value = Vec<u8>> {
    let streams = prop::sample::select(vec![1_u8, 1, 3, 5]);
    let kinds = prop::sample::select(vec![0_u8, 1, 1, 1, 3, 4, 6, 7, 8]);
    let paths =
        prop::sample::select(vec!["/", "/echo", "/slow", "/long", "/stream", "/broken", "/panic"]);
    (streams, kinds, paths, any::<bool>()).prop_map(|(stream, kind, path, ends)| {
        let ends = u8::from(ends);
        match kind {
            // HEADERS: GET or POST, http, the path and the authority spelt out (RFC 7541, section 6.2.2).
            1 => {
                let mut head = vec![if ends == 1 { 0x82 } else { 0x83 }, 0x86, 0x04];
                head.push(path.len() as u8);
                head.extend(path.as_bytes());
                head.extend([0x01, 1, b't']);
                frame(1, 4 | ends, stream, &head)
            }
            0 => frame(0, ends, stream, b"hello"),
            3 => frame(3, 0, stream, &[0, 0, 0, 8]),
            8 => frame(8, 0, stream, &[0, 0, 1, 0]),
            6 => frame(6, 0, 0, &[0; 8]),
            7 => frame(7, 0, 0, &[0; 8]),
            kind => frame(kind, 0, 0, &[]),
        }
    })
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
    bytes.extend(payload);
    bytes
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

/// Handlers of every kind.
async fn answer(request: Request<Body>) -> Result<Response<Answer>, std::io::Error> {
    let chunks = |broken: bool| {
        let chunks = futures_util::stream::unfold(0, move |at| async move {
            sleep(Duration::from_millis(20)).await;
            match at {
                3 => None,
                1 if broken => Some((Err(std::io::Error::other("broken")), 3)),
                _ => Some((Ok("chunk"), at + 1)),
            }
        });
        Answer::from_stream(chunks)
    };
    let (head, body) = request.into_parts();
    if head.method == http::Method::CONNECT {
        let mut refused = Response::new(Answer::empty());
        *refused.status_mut() = http::StatusCode::METHOD_NOT_ALLOWED;
        return Ok(refused);
    }
    let answer = match head.uri.path() {
        "/echo" => match axum::body::to_bytes(Answer::new(body), 10_000).await {
            Ok(bytes) => Answer::from(bytes),
            Err(error) => return Err(std::io::Error::other(error)),
        },
        "/slow" => {
            sleep(Duration::from_millis(30)).await;
            Answer::from("slow")
        }
        // Longer than a drain.
        "/long" => {
            sleep(60 * SECOND).await;
            Answer::from("long")
        }
        "/stream" => chunks(false),
        "/broken" => chunks(true),
        "/error" => return Err(std::io::Error::other("no")),
        // Says nothing on standard error, unlike `panic!`.
        "/panic" => std::panic::resume_unwind(Box::new("no")),
        _ => Answer::from("OK"),
    };
    Ok(Response::new(answer))
}

/// What is left when the connection is over.
#[derive(Debug)]
struct Left {
    totals: Totals,
    /// How many requests a handler saw.
    calls: usize,
    /// What it was when the deadline came, if it came to that.
    at_the_deadline: Option<u32>,
    /// How many 503 the client got; HTTP/1 only.
    got_503: usize,
    open: usize,
}

fn serve(client: &Client) -> Result<Left, TestCaseError> {
    let runtime = runtime();
    let connections = connections(&runtime);
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let service = service_fn(move |request| {
        seen.fetch_add(1, Ordering::Relaxed);
        answer(request)
    });
    runtime.block_on(async {
        let (near, far) = duplex(client.held);
        let membership = add(&connections);
        let record = Arc::clone(membership.record());
        let (first, rest) = opened(&record, &client.sent, client.first);
        let http2 = protocol(false, &first);
        let connection = Connection::new(far, membership, service, http2, first);
        let mut connection = runtime.spawn(connection);
        let (mut reader, mut writer) = tokio::io::split(near);
        let reads = client.reads;
        let reading = runtime.spawn(async move {
            let mut bytes = Vec::new();
            if reads {
                let _until_the_end = reader.read_to_end(&mut bytes).await;
            } else {
                std::future::pending::<Infallible>().await;
            }
            bytes
        });
        let mut cuts: Vec<usize> =
            client.cuts.iter().map(|cut| cut.index(rest.len() + 1)).collect();
        cuts.extend([0, rest.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            // A server may close before it has read everything, or take nothing more until it is read.
            let piece = writer.write_all(&rest[cut[0]..cut[1]]);
            if !matches!(timeout(SECOND, piece).await, Ok(Ok(()))) {
                break;
            }
            sleep(Duration::from_millis(client.pause)).await;
        }
        let mut at_the_deadline = None;
        match client.end {
            End::HalfClose => {
                let _ = writer.shutdown().await;
            }
            End::Drop => {
                reading.abort();
                drop(writer);
            }
            End::Drain { late } => {
                let at = Instant::now() + if late { LONG } else { SOON };
                connections.enter(Mode::Draining);
                connections.tick(at);
                sleep(5 * SECOND).await;
                // By now nothing goes on by itself.
                at_the_deadline = Some(record.state.get());
                connections.enter(Mode::Cut);
                connections.tick(at);
                sleep(5 * SECOND).await;
                if record.state.has(state::HTTP2) && !connection.is_finished() {
                    // One in the middle of a frame is the supervisor's to cut off.
                    reading.abort();
                    drop(writer);
                }
            }
        }
        let over = timeout(LONG, &mut connection).await;
        prop_assert!(matches!(over, Ok(Ok(()))), "the connection did not end: {:?}", over);
        // The tasks of HTTP/2's streams end behind it.
        sleep(SECOND).await;
        let mut totals = Totals::default();
        connections.count(&mut totals);
        let got = timeout(SECOND, reading).await;
        let got = got.ok().and_then(Result::ok).unwrap_or_default();
        const UNAVAILABLE: &[u8] = b" 503 Service Unavailable\r\n";
        let got_503 = got.windows(UNAVAILABLE.len()).filter(|bytes| *bytes == UNAVAILABLE).count();
        let (calls, open) = (calls.load(Ordering::Relaxed), connections.len());
        Ok(Left { totals, calls, at_the_deadline, got_503, open })
    })
}

/// More cases than usual: few come to a deadline with something under way.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: 4 * usual.cases, ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_a_client_sends_the_connection_ends_and_each_request_counts_once(client in clients()) {
        let left = serve(&client)?;
        prop_assert_eq!(left.open, 0);
        prop_assert_eq!(left.totals.in_flight, 0);
        let (connections, requests) = (left.totals.connections, left.totals.requests);
        prop_assert_eq!((connections.accepted, connections.closed), (1, 1));
        let counted = requests.completed
            + requests.answered_503
            + requests.interrupted
            + requests.cut
            + requests.gone;
        // Half a head that waits at the deadline counts too, since it is answered, and no handler sees it.
        let half = match left.at_the_deadline {
            Some(flags) if flags & state::HTTP2 != 0 => {
                prop_assert!(flags & state::HEAD == 0, "a preface is no head: {:?}", left);
                0
            }
            Some(flags) => {
                let answered = requests.answered_503 + requests.interrupted;
                // One that the client did not get to its end is cut.
                let got = left.got_503 as u64;
                prop_assert!(answered <= got && got <= answered + requests.cut, "{:?}", left);
                const OTHERS: u32 = state::REQUEST | state::DIRTY | state::LINGER | state::GONE;
                let idle = flags & OTHERS == 0;
                prop_assert!(!idle || flags & state::HEAD == 0 || left.got_503 == 1, "{:?}", left);
                // hyper may hold it, behind a request that was answered in time.
                u64::from(idle && left.got_503 > 0)
            }
            None => 0,
        };
        prop_assert_eq!(counted, left.calls as u64 + half, "{:?}", left);
    }
}

#[test]
fn half_a_head_at_the_deadline_is_answered_and_counted_once_wherever_it_waits() {
    let half = b"GET / HTTP/1.1\r\nHo".to_vec();
    let whole = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    for (sent, calls) in [(half.clone(), 0), ([&whole[..], &half].concat(), 1)] {
        for first in 0..=sent.len() {
            let (cuts, end) = (Vec::new(), End::Drain { late: false });
            let sent = sent.clone();
            let client = Client { sent, first, cuts, pause: 7, held: 1000, reads: true, end };
            let left = serve(&client).unwrap();
            let requests = left.totals.requests;
            assert_eq!((left.calls, left.got_503), (calls, 1), "{first}: {left:?}");
            let counted = (requests.completed, requests.answered_503);
            assert_eq!(counted, (calls as u64, 1), "{first}: {left:?}");
        }
    }
}

#[test]
fn a_request_behind_a_response_that_waits_for_its_peer_is_answered() {
    // 1. A request has a body that its handler does not read, and another request comes with it.
    // 2. The peer takes the response slowly. Meanwhile hyper reads to the end of the body, and the request behind it, which it
    //    puts off until the response is written.
    // 3. Nothing else comes: the peer waits for its answers.
    let get = "GET / HTTP/1.1\r\nHost: t\r\n";
    let chunked = format!("{get}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let sent = format!("{chunked}{get}\r\n{get}\r\n").into_bytes();
    for first in 0..=sent.len() {
        for held in [1, 15, 20, 30, 50, 100, 1000] {
            let (sent, cuts, end) = (sent.clone(), Vec::new(), End::HalfClose);
            let client = Client { sent, first, cuts, pause: 0, held, reads: true, end };
            let left = serve(&client).unwrap_or_else(|error| panic!("{first}, {held}: {error}"));
            assert!(left.calls > 0, "{first}, {held}: {left:?}");
        }
    }
}

/// Counts how often it is written to.
#[cfg(feature = "http2")]
struct Counted(tokio::io::DuplexStream, Arc<AtomicUsize>);

#[cfg(feature = "http2")]
impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

#[cfg(feature = "http2")]
impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(feature = "http2")]
#[test]
fn responses_to_requests_that_came_together_are_written_together() {
    const STREAMS: u8 = 16;
    // One that runs first what was woken last, as services have.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let connections = connections(&runtime);
    let writes = Arc::new(AtomicUsize::new(0));
    let get = [0x82, 0x86, 0x84, 0x01, 1, b't'];
    let mut sent = [PREFACE, &frame(4, 0, 0, &[])].concat();
    for stream in 0..STREAMS {
        sent.extend(frame(1, 5, 2 * stream + 1, &get));
    }
    runtime.block_on(async {
        let (mut near, far) = duplex(64 * 1024);
        near.write_all(&sent).await.expect("room for all of it");
        let io = Counted(far, Arc::clone(&writes));
        let connection =
            Connection::new(io, add(&connections), service_fn(answer), Some(true), Bytes::new());
        let connection = runtime.spawn(connection);
        let mut ended = 0;
        while ended < STREAMS {
            let mut head = [0; 9];
            let read = timeout(10 * SECOND, near.read_exact(&mut head)).await;
            read.expect("in time").expect("a frame");
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            near.read_exact(&mut vec![0; length]).await.expect("its payload");
            ended += u8::from(head[3] == 0 && head[4] & 1 == 1);
        }
        connection.abort();
    });
    // SETTINGS and its acknowledgement, and all the responses; alone, each of these would be one.
    let writes = writes.load(Ordering::Relaxed);
    assert!(writes < 5, "{writes} writes for {STREAMS} responses");
}

/// Reads until a response of [`answer`]'s to `GET /` is there.
async fn read_answer(near: &mut tokio::io::DuplexStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\nOK") {
        let byte = timeout(SECOND, near.read_u8()).await.expect("in time").expect("an answer");
        read.push(byte);
    }
    String::from_utf8_lossy(&read).into_owned()
}

#[test]
fn an_idle_close_that_meets_a_request_closes_nothing() {
    let runtime = runtime();
    let connections = connections(&runtime);
    runtime.block_on(async {
        let (mut near, far) = duplex(1000);
        let service = service_fn(answer);
        let connection =
            Connection::new(far, add(&connections), service, Some(false), Bytes::new());
        let mut connection = runtime.spawn(connection);
        for turn in 1..6 {
            near.write_all(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n").await.expect("room for it");
            let answer = read_answer(&mut near).await;
            assert!(!answer.to_lowercase().contains("connection: close"), "{answer}");
            sleep(SECOND).await;
            // It has been idle for long, and the next request comes before its task has heard of that.
            connections.tick(Instant::now() + turn * LONG);
        }
        // Nothing comes this time.
        sleep(SECOND).await;
        assert!((&mut connection).now_or_never().is_some());
    });
}

#[test]
fn a_peer_that_does_not_take_the_last_answer_is_cut_after_the_idle_time() {
    let runtime = runtime();
    let connections = connections(&runtime);
    let short = Duration::from_millis(50);
    connections.set_limits(Limits {
        header_timeout: short,
        idle_timeout: short,
        ..Limits::default()
    });
    runtime.block_on(async {
        // A part of the 408 has room.
        let (mut near, far) = duplex(16);
        let service = service_fn(answer);
        let connection =
            Connection::new(far, add(&connections), service, Some(false), Bytes::new());
        let connection = runtime.spawn(connection);
        near.write_all(b"GET / HT").await.expect("room for it");
        let begun = Instant::now();
        while !connection.is_finished() {
            assert!(begun.elapsed() < 20 * SECOND, "it is held");
            #[expect(clippy::disallowed_methods, reason = "the record's clock is the real one")]
            std::thread::sleep(short);
            connections.tick(Instant::now());
            sleep(SECOND).await;
        }
        let mut read = Vec::new();
        near.read_to_end(&mut read).await.expect("the end");
        assert_eq!(read, b"HTTP/1.1 408 Req");
        let mut totals = Totals::default();
        connections.count(&mut totals);
        assert_eq!(totals.connections.cut, 1);
    });
}

/// A peer whose bytes are read in these pieces, one with each read, and that takes everything.
struct Pieces(VecDeque<&'static [u8]>, Arc<Mutex<Vec<u8>>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        // Nothing comes behind the last one.
        let Some(piece) = self.0.pop_front() else { return Poll::Pending };
        buf.put_slice(piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.1.lock().unwrap().extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const POST: &[u8] = b"POST /ignore HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n";

#[test]
fn the_rest_of_a_body_that_nobody_reads_is_no_head_wherever_it_is_read() {
    let runtime = runtime();
    let connections = connections(&runtime);
    runtime.block_on(async {
        let written = Arc::default();
        let peer = Pieces([POST, b"hello"].into(), Arc::clone(&written));
        let membership = add(&connections);
        let record = Arc::clone(membership.record());
        let service = service_fn(answer);
        let connection = Connection::new(peer, membership, service, Some(false), Bytes::new());
        let connection = runtime.spawn(connection);
        sleep(SECOND).await;
        assert!(written.lock().unwrap().ends_with(b"OK"));
        assert!(!connection.is_finished(), "hyper has skipped the body");
        assert!(!record.state.has(state::HEAD));
        // So the drain has nothing to wait for.
        connections.enter(Mode::Draining);
        connections.tick(Instant::now() + SOON);
        let over = timeout(SECOND, connection).await;
        assert!(matches!(over, Ok(Ok(()))), "{over:?}");
        let mut totals = Totals::default();
        connections.count(&mut totals);
        assert_eq!((totals.requests.completed, totals.connections.closed_idle), (1, 1));
    });
}

#[test]
fn half_a_head_behind_a_body_that_somebody_still_has_is_answered() {
    let runtime = runtime();
    let connections = connections(&runtime);
    runtime.block_on(async {
        let written = Arc::default();
        let peer = Pieces([POST, b"hello", b"GET / HT"].into(), Arc::clone(&written));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::clone(&kept);
        let service = service_fn(move |request: Request<Body>| {
            let bodies = Arc::clone(&bodies);
            async move {
                let mut body = request.into_body().into_incoming();
                let _all_of_it = body.frame().await;
                bodies.lock().unwrap().push(body);
                Ok::<_, Infallible>(Response::new(Answer::from("OK")))
            }
        });
        let connection =
            Connection::new(peer, add(&connections), service, Some(false), Bytes::new());
        let connection = runtime.spawn(connection);
        sleep(SECOND).await;
        assert!(written.lock().unwrap().ends_with(b"OK"));
        connections.enter(Mode::Draining);
        connections.tick(Instant::now() + SOON);
        let over = timeout(5 * SECOND, connection).await;
        assert!(matches!(over, Ok(Ok(()))), "{over:?}");
        let written = String::from_utf8_lossy(&written.lock().unwrap()).into_owned();
        assert_eq!(written.matches("HTTP/1.1 503").count(), 1, "{written}");
        let mut totals = Totals::default();
        connections.count(&mut totals);
        assert_eq!((totals.requests.completed, totals.requests.answered_503), (1, 1));
    });
}
