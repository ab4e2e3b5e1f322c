//! A predecessor and a successor, and their clients.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body as Answer;
use http::{Request, Response};
use hyper::service::service_fn;
use tokio::runtime::Runtime;

use crate::connections::Limits;
use crate::http::listen::{Address, Listener};
use crate::http::{Body, Source};
use crate::lifecycle::{Events, Shared};
use crate::parcel::{Outbox, Parcel};
use crate::part::Part as _;
use crate::report::Totals;

/// Longer than anything takes that is to come.
pub(super) const LONG: Duration = Duration::from_secs(20);

/// How long is waited for what is not to come.
pub(super) const WHILE: Duration = Duration::from_millis(150);

/// A server, and whoever ticks for it.
pub(super) struct Server {
    pub(super) source: Arc<Source>,
    over: Arc<AtomicBool>,
}

impl Server {
    fn new(runtime: &Runtime, name: &'static str, listener: Listener, pair: &Seen) -> Server {
        let (events, _) = Events::channel().expect("two descriptors");
        let shared = Shared::new("test".to_owned(), events, runtime.handle().clone());
        let seen = pair.clone();
        let service = service_fn(move |request| answer(name, seen.clone(), request));
        let source =
            Source::listening(name, Location::caller(), &Arc::new(shared), listener, service);
        let source = Arc::new(source);
        source.set_limits(|limits| *limits = Limits { idle_grace: WHILE, ..Limits::default() });
        let over = Arc::new(AtomicBool::new(false));
        let (ticked, told) = (Arc::clone(&source), Arc::clone(&over));
        std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let now = Instant::now();
                let next =
                    ticked.tick(now).unwrap_or(now + WHILE).min(now + Duration::from_millis(10));
                #[expect(clippy::disallowed_methods, reason = "no runtime's thread")]
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Server { source, over }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.source.count(&mut totals);
        totals
    }

    /// How many connections it has.
    pub(super) fn open(&self) -> u64 {
        let open = self.totals().open;
        open.unspoken + open.head + open.in_flight + open.idle + open.upgraded
    }

    pub(super) fn passed_on(&self) -> u64 {
        self.totals().connections.passed_on
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// What handlers have seen.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// Requests for what no client has asked for.
    pub(super) smuggled: Arc<AtomicUsize>,
    /// A handler that holds a body goes on to hold it.
    pub(super) holds: Arc<AtomicBool>,
}

/// Two servers on one socket.
pub(super) struct Pair {
    pub(super) old: Server,
    pub(super) new: Server,
    pub(super) at: SocketAddr,
    pub(super) seen: Seen,
    /// What the predecessor keeps of what it has passed on.
    pub(super) kept: Arc<Mutex<Vec<OwnedFd>>>,
    /// Last, so that it is there as long as the servers.
    pub(super) _runtime: Runtime,
}

impl Pair {
    /// The first one serves; the second is prepared.
    pub(super) fn new() -> Pair {
        Pair::on("127.0.0.1:0")
    }

    pub(super) fn on(address: &str) -> Pair {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let seen = Seen::default();
        let address: Address = address.parse().expect("an address");
        let listener = Listener::bind(&address).expect("bound");
        let at = listener.local_addr().ok().and_then(|at| at.tcp());
        let at = at.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let twin = listener.as_fd().try_clone_to_owned().expect("a descriptor");
        let twin = Listener::inherited(twin, false.into(), &address).expect("a listener");
        let old = Server::new(&runtime, "old", listener, &seen);
        let new = Server::new(&runtime, "new", twin, &seen);
        old.source.start();
        new.source.prepare();
        Pair { old, new, at, seen, kept: Arc::default(), _runtime: runtime }
    }

    /// Where one gives to the other. A duplicate of each descriptor is kept, as a predecessor does.
    pub(super) fn outbox(&self, to: &Server) -> Outbox {
        let (to, kept) = (Arc::clone(&to.source), Arc::clone(&self.kept));
        Arc::new(move |parcel: Parcel| {
            kept.lock().expect("no panic").push(parcel.socket.try_clone().expect("a descriptor"));
            to.adopt(parcel).expect("taken");
        })
    }

    /// The first one passes on.
    pub(super) fn pass_on(&self) {
        self.old.source.pass_on(&self.outbox(&self.new));
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.at)
    }
}

/// Waits until something is so.
#[track_caller]
pub(super) fn until(what: &str, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < LONG, "it does not come about: {what}");
        #[expect(clippy::disallowed_methods, reason = "no runtime's thread")]
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for what is not to happen.
pub(super) fn a_while() {
    #[expect(clippy::disallowed_methods, reason = "no runtime's thread")]
    std::thread::sleep(WHILE);
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Got {
    /// Which of the two has answered.
    pub(super) fn by(&self) -> &str {
        let by = self.head.split("by: ").nth(1).expect("a header");
        by.split("\r\n").next().expect("a line")
    }

    pub(super) fn says_close(&self) -> bool {
        self.head.to_ascii_lowercase().contains("connection: close")
    }
}

/// A client that speaks bytes.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(super) fn new(at: SocketAddr) -> Client {
        let stream = TcpStream::connect(at).expect("connected");
        stream.set_read_timeout(Some(LONG)).expect("set");
        stream.set_nodelay(true).expect("set");
        Client { stream, read: Vec::new() }
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("sent");
    }

    pub(super) fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("closed");
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer).expect("in time, and no reset");
        self.read.extend(&buffer[..count]);
        count > 0
    }

    /// The next answer; the interim ones before it are dropped.
    #[track_caller]
    pub(super) fn answer(&mut self) -> Got {
        loop {
            let head = self.head();
            if head.starts_with("HTTP/1.1 1") {
                continue;
            }
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).expect("a length");
            let length = length.split("\r\n").next().and_then(|length| length.parse().ok());
            let length: usize = length.expect("a number");
            while self.read.len() < length {
                assert!(self.more(), "an end in the middle of a body");
            }
            let body = self.read.drain(..length).collect();
            return Got { head, body };
        }
    }

    /// The next head.
    #[track_caller]
    pub(super) fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).expect("text");
            }
            assert!(self.more(), "an end in place of a head: {:?}", self.read);
        }
    }

    /// So many bytes, whatever they are.
    #[track_caller]
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more(), "an end in the middle");
        }
        self.read.drain(..count).collect()
    }

    /// Asks for a path and gets the answer.
    #[track_caller]
    pub(super) fn get(&mut self, path: &str) -> Got {
        self.send(get(path));
        self.answer()
    }

    /// Nothing more comes but an end of stream.
    #[track_caller]
    pub(super) fn ends(&mut self) {
        assert!(!self.more() && self.read.is_empty(), "more came: {:?}", self.read);
    }

    /// What comes until the end of stream, or the error.
    pub(super) fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.read);
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }
}

pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")
}

/// What both servers answer.
async fn answer(
    by: &'static str,
    seen: Seen,
    request: Request<Body>,
) -> Result<Response<Answer>, Infallible> {
    let path = request.uri().path().to_owned();
    let answer = match path.as_str() {
        "/echo" => {
            let body = axum::body::to_bytes(Answer::new(request.into_body()), 1 << 20).await;
            Answer::from(body.unwrap_or_default())
        }
        "/slow" => {
            tokio::time::sleep(WHILE).await;
            Answer::from("slow")
        }
        "/hold" => {
            let holds = Arc::clone(&seen.holds);
            holds.store(true, Ordering::Release);
            #[expect(clippy::disallowed_methods, reason = "what a careless handler does")]
            tokio::spawn(async move {
                let body = request.into_body();
                while holds.load(Ordering::Acquire) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                drop(body);
            });
            Answer::from("held")
        }
        "/big" => Answer::from(vec![b'x'; BIG]),
        "/endless" => {
            let chunks = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Ok::<_, Infallible>("chunk"), ()))
            });
            Answer::from_stream(chunks)
        }
        "/upgrade" => {
            let mut response = Response::new(Answer::empty());
            *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
            response.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
            let upgrade = hyper::upgrade::on(request);
            #[expect(clippy::disallowed_methods, reason = "what a handler does")]
            tokio::spawn(async move {
                let upgraded = upgrade.await.expect("upgraded");
                let (mut reader, mut writer) =
                    tokio::io::split(hyper_util::rt::TokioIo::new(upgraded));
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
            return Ok(response);
        }
        "/smuggled" => {
            seen.smuggled.fetch_add(1, Ordering::Relaxed);
            Answer::from("smuggled")
        }
        path => Answer::from(path.to_owned()),
    };
    let mut response = Response::new(answer);
    response.headers_mut().insert("by", http::HeaderValue::from_static(by));
    Ok(response)
}

/// More than the kernel holds for a peer that reads nothing.
pub(super) const BIG: usize = 16 << 20;
