//! Clients that speak HTTP/2 from the first byte, as a gRPC client or a service mesh does.
//!
//! What may be repeated is told as RFC 9113 does: a stream that the server reset with REFUSED_STREAM, or whose id lies
//! above the last one of its GOAWAY (section 6.8), was not processed: refused. Any other end without a whole response
//! is lost or cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::Request;
use lameduck_testkit::{Tally, trusting_anyone};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::load::{ENDED, Load};

const LIMIT: Duration = Duration::from_secs(15);

/// How many failures are told in words.
const KEPT: usize = 8;

/// What a stream asks for, again and again.
#[derive(Clone, Copy)]
enum What {
    Short,
    /// A response of 20 lines, one every 5 ms.
    Stream,
    /// A body in pieces, one every 5 ms, which comes back.
    Upload,
}

/// The streams of a connection have these by turns.
const WHAT: [What; 4] = [What::Short, What::Stream, What::Short, What::Upload];

const LINES: u32 = 20;
const PIECES: u8 = 10;
const PIECE: usize = 5_000;
const BETWEEN: Duration = Duration::from_millis(5);

/// A load of HTTP/2 connections, each with streams side by side.
pub(crate) struct Http2 {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    signalled: OnceLock<Instant>,
    answered: AtomicU64,
    tally: Mutex<Tally>,
}

impl Http2 {
    /// Starts so many connections, on each of which so many streams ask again and again; over TLS or not.
    pub(crate) fn start(addr: SocketAddr, connections: usize, streams: usize, tls: bool) -> Http2 {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        // A thread of its own stays in the caller's network namespace.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(join_all((0..connections).map(|_| client(addr, streams, tls, &own))));
        });
        Http2 { shared, thread }
    }
}

impl Load for Http2 {
    fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    fn signalled(&self, at: Instant) {
        let _ = self.shared.signalled.set(at);
    }

    fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    fn tally(self: Box<Self>) -> Tally {
        let _ = lameduck_testkit::eventually(ENDED, || self.thread.is_finished());
        self.stop();
        self.thread.join().expect("a client doesn't panic");
        let mut tally = self.shared.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tally.answered = self.shared.answered.load(Ordering::Relaxed);
        tally
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn count(&self, add: impl FnOnce(&mut Tally)) {
        add(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn failed(&self, what: &str, add: impl FnOnce(&mut Tally)) {
        let after = self.signalled.get().map_or(0.0, |at| at.elapsed().as_secs_f64() * 1e3);
        self.count(|tally| {
            add(tally);
            if tally.failures.len() < KEPT {
                tally.failures.push(format!("{after:.1} ms after the signal: HTTP/2: {what}"));
            }
        });
    }
}

/// One connection after the other, until one is refused after the signal.
async fn client(addr: SocketAddr, streams: usize, tls: bool, shared: &Shared) {
    let connector = TlsConnector::from(trusting_anyone(&["h2"]));
    let mut had_one = false;
    while !shared.stopped() {
        let Ok(Ok(stream)) = timeout(Duration::from_secs(5), TcpStream::connect(addr)).await else {
            shared.count(|tally| tally.refused += 1);
            if shared.signalled.get().is_some() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        shared.count(|tally| tally.reconnects += u64::from(had_one));
        had_one = true;
        let _ = stream.set_nodelay(true);
        if !tls {
            speak(stream, streams, shared).await;
            continue;
        }
        let localhost = "localhost".try_into().expect("a name");
        match timeout(LIMIT, connector.connect(localhost, stream)).await {
            Ok(Ok(stream)) => speak(stream, streams, shared).await,
            Ok(Err(error)) => {
                shared.failed(&format!("no TLS: {error}"), |tally| tally.lost += 1);
            }
            Err(_) => shared.failed("no end of the handshake", |tally| tally.hung += 1),
        }
    }
}

/// Requests on one connection, until it takes no more.
async fn speak(io: impl AsyncRead + AsyncWrite + Unpin, streams: usize, shared: &Shared) {
    let (sender, connection) = match h2::client::handshake(io).await {
        Ok(both) => both,
        Err(error) => {
            shared.failed(&format!("no connection: {error}"), |tally| tally.lost += 1);
            return;
        }
    };
    let requests = async move {
        let what = WHAT.into_iter().cycle().take(streams);
        join_all(what.map(|what| ask(sender.clone(), what, shared))).await;
        // The last handle goes here, so that the connection ends.
        drop(sender);
    };
    // A connection that fails tells so to each of its streams.
    let _ = join(requests, connection).await;
}

/// One stream after the other, until the connection takes no more.
async fn ask(sender: SendRequest<Bytes>, what: What, shared: &Shared) {
    let mut sender = sender;
    while !shared.stopped() {
        sender = match sender.ready().await {
            Ok(sender) => sender,
            // GOAWAY, or the end of the connection, before anything was sent.
            Err(_) => return,
        };
        let Ok((response, body)) = sender.send_request(what.request(), !what.uploads()) else {
            return;
        };
        let upload = async {
            if what.uploads() {
                upload(body).await;
            }
        };
        let both = join(whole(response, what), upload);
        match timeout(LIMIT, both).await.map(|(ended, ())| ended) {
            Ok(Ok(())) => {
                shared.answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Err(End::NotProcessed)) => shared.count(|tally| tally.refused += 1),
            Ok(Err(End::Lost(what))) => shared.failed(&what, |tally| tally.lost += 1),
            Ok(Err(End::Cut(what))) => shared.failed(&what, |tally| tally.cut += 1),
            Ok(Err(End::TurnedAway)) => shared.count(|tally| tally.turned_away += 1),
            Ok(Err(End::Bad(what))) => shared.failed(&what, |tally| tally.bad += 1),
            Err(_) => shared.failed("no end of the response", |tally| tally.hung += 1),
        }
    }
}

impl What {
    fn uploads(self) -> bool {
        matches!(self, What::Upload)
    }

    fn request(self) -> Request<()> {
        let request = match self {
            What::Short => Request::get("http://test/"),
            What::Stream => Request::get(format!("http://test/stream?chunks={LINES}&ms=5")),
            What::Upload => Request::post("http://test/echo"),
        };
        request.body(()).expect("a request")
    }

    /// The body of the response.
    fn expected(self) -> Vec<u8> {
        match self {
            What::Short => b"OK".to_vec(),
            What::Stream => {
                (0..LINES).flat_map(|line| format!("chunk {line:04}\n").into_bytes()).collect()
            }
            What::Upload => (0..PIECES).flat_map(piece).collect(),
        }
    }
}

/// Each piece of the body that is uploaded is another one.
fn piece(number: u8) -> Vec<u8> {
    vec![number; PIECE]
}

/// Sends the body as long as the server takes it; what became of the request the response tells.
async fn upload(mut body: SendStream<Bytes>) {
    for number in 0..PIECES {
        sleep(BETWEEN).await;
        if body.send_data(piece(number).into(), number + 1 == PIECES).is_err() {
            return;
        }
    }
}

/// How a request ended other than by a whole response.
enum End {
    NotProcessed,
    Lost(String),
    Cut(String),
    TurnedAway,
    Bad(String),
}

async fn whole(response: ResponseFuture, what: What) -> Result<(), End> {
    let response = response.await.map_err(|error| {
        if error.reason() == Some(Reason::REFUSED_STREAM)
            || (error.is_go_away() && error.is_remote())
        {
            End::NotProcessed
        } else {
            End::Lost(format!("lost: {error}"))
        }
    })?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| End::Cut(format!("cut: {error}")))?;
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    match (status, bytes) {
        (200, body) if body == what.expected() => Ok(()),
        (503 | 429, _) => Err(End::TurnedAway),
        (status, body) => Err(End::Bad(format!("status {status}, {} bytes", body.len()))),
    }
}
