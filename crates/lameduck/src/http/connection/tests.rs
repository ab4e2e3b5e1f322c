//! Whatever a client sends, and however it goes: the connection ends, and each of its requests is counted once.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body as Answer;
use hyper::service::service_fn;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{sleep, timeout};

use super::*;
use crate::connections::Mode;
use crate::http::testing::{add, connections, runtime};
use crate::report::Totals;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any handler and any lingering close; the clock stands still while there is something to do.
const LONG: Duration = Duration::from_secs(3600);

/// How the client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It closes its half and reads on.
    HalfClose,
    /// It is gone.
    Drop,
    /// It stays; the server drains, and comes to its deadline.
    Drain,
}

/// What a client does.
#[derive(Clone, Debug)]
struct Client {
    sent: Vec<u8>,
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
        prop::collection::vec(any::<Index>(), 0..8),
        prop_oneof![Just(0), Just(7), Just(40)],
        1_usize..3000,
        any::<bool>(),
        prop_oneof![Just(End::HalfClose), Just(End::Drop), Just(End::Drain)],
    )
        .prop_map(|(sent, cuts, pause, held, reads, end)| {
            // One that stays and reads nothing is the supervisor's to cut off.
            let reads = reads || end != End::Drop;
            Client { sent, cuts, pause, held, reads, end }
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
    let methods = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "CONNECT", "PRI", "P"]);
    let paths = prop::sample::select(vec![
        "/", "/echo", "/ignore", "/slow", "/stream", "/broken", "/error", "/panic", "*",
    ]);
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
    let paths = prop::sample::select(vec!["/", "/echo", "/slow", "/stream", "/broken", "/panic"]);
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
        "/stream" => chunks(false),
        "/broken" => chunks(true),
        "/error" => return Err(std::io::Error::other("no")),
        // Says nothing on standard error, unlike `panic!`.
        "/panic" => std::panic::resume_unwind(Box::new("no")),
        _ => Answer::from("OK"),
    };
    Ok(Response::new(answer))
}

/// What is left when the connection is over: the figures, and how many requests a handler saw.
fn serve(client: &Client) -> Result<(Totals, usize, usize), TestCaseError> {
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
        let connection = Connection::new(far, add(&connections), service, None, Bytes::new());
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
        });
        let mut cuts: Vec<usize> =
            client.cuts.iter().map(|cut| cut.index(client.sent.len() + 1)).collect();
        cuts.extend([0, client.sent.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            // A server may close before it has read everything, or take nothing more until it is read.
            let piece = writer.write_all(&client.sent[cut[0]..cut[1]]);
            if !matches!(timeout(SECOND, piece).await, Ok(Ok(()))) {
                break;
            }
            sleep(Duration::from_millis(client.pause)).await;
        }
        match client.end {
            End::HalfClose => {
                let _ = writer.shutdown().await;
            }
            End::Drop => {
                reading.abort();
                drop(writer);
            }
            End::Drain => {
                for mode in [Mode::Draining, Mode::Cut] {
                    connections.enter(mode);
                    // Long after every limit.
                    connections.tick(Instant::now() + LONG);
                    sleep(5 * SECOND).await;
                }
                if client.sent.starts_with(b"PRI ") && !connection.is_finished() {
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
        Ok((totals, calls.load(Ordering::Relaxed), connections.len()))
    })
}

proptest! {
    #[test]
    fn whatever_a_client_sends_the_connection_ends_and_each_request_counts_once(client in clients()) {
        let (totals, calls, open) = serve(&client)?;
        prop_assert_eq!(open, 0);
        prop_assert_eq!(totals.in_flight, 0);
        prop_assert_eq!((totals.connections.accepted, totals.connections.closed), (1, 1));
        let requests = totals.requests;
        let counted = requests.completed
            + requests.answered_503
            + requests.interrupted
            + requests.cut
            + requests.gone;
        // Half a head that is answered at the deadline counts too, and no handler sees it.
        let half = u64::from(client.end == End::Drain && counted == calls as u64 + 1);
        prop_assert!(half == 0 || requests.answered_503 > 0, "{:?}", totals);
        prop_assert_eq!(counted, calls as u64 + half, "{:?}", totals);
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
