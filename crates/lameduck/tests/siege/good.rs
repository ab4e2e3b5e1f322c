//! Good clients beside the kept ones: one that opens a connection for each request, and one that speaks HTTP/2. They
//! think between two requests, unlike those of the load tests: what is measured beside them has the same two cores.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::Request;
use lameduck_testkit::{Client, Failure, eventually, pause, speaks_tls, trusting_anyone};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

/// Between two requests.
const THINK: Duration = Duration::from_millis(20);
/// The longest that a request may take.
const LIMIT: Duration = Duration::from_secs(15);

/// One client on its thread. It ends when it is refused after the signal.
pub(super) struct Good {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    signalled: AtomicBool,
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Good {
    /// Opens a connection for each request.
    pub(super) fn fresh(addr: SocketAddr) -> Good {
        Good::start(move |shared| fresh(addr, shared))
    }

    /// Speaks HTTP/2, one stream after the other.
    pub(super) fn http2(addr: SocketAddr) -> Good {
        Good::start(move |shared| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(http2(addr, shared));
        })
    }

    fn start(client: impl FnOnce(&Shared) + Send + 'static) -> Good {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        Good { shared, thread: Some(thread::spawn(move || client(&own))) }
    }

    /// How many requests were answered so far.
    pub(super) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Says, before it is so, that the server is told to stop: from here on a refusal is the expected end.
    pub(super) fn signalled(&self) {
        self.shared.signalled.store(true, Ordering::Relaxed);
    }

    /// Waits for its end, so long at most; what went wrong.
    pub(super) fn failures(mut self, limit: Duration) -> Vec<String> {
        let ended = eventually(limit, || self.thread.as_ref().is_none_or(JoinHandle::is_finished));
        if !ended {
            self.shared.failed("it was never refused");
        }
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.thread.take().expect("one thread").join().expect("a good client doesn't panic");
        std::mem::take(&mut *self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Good {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn signalled(&self) -> bool {
        self.signalled.load(Ordering::Relaxed)
    }

    fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, what: &str) {
        let when = if self.signalled() { "after" } else { "before" };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        // The first few tell enough.
        if failures.len() < 8 {
            failures.push(format!("{when} the signal: {what}"));
        }
    }
}

fn fresh(addr: SocketAddr, shared: &Shared) {
    while !shared.stopped() {
        pause(THINK);
        match once(addr) {
            Ok(()) => shared.answered(),
            Err(Failure::Refused(_)) if shared.signalled() => return,
            Err(failure) => shared.failed(&format!("a fresh connection: {failure}")),
        }
    }
}

fn once(addr: SocketAddr) -> Result<(), Failure> {
    let mut client = Client::connect(addr)?.limit(LIMIT);
    client.send(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
    let response = client.read_response()?;
    match (response.status, &*response.body) {
        (200, b"OK") => Ok(()),
        (status, body) => Err(Failure::Malformed(format!("{status}, {} bytes", body.len()))),
    }
}

/// One connection after the other, until one is refused after the signal.
async fn http2(addr: SocketAddr, shared: &Shared) {
    let connector = TlsConnector::from(trusting_anyone(&["h2"]));
    while !shared.stopped() {
        let stream = match timeout(LIMIT, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) if shared.signalled() => return,
            failed => {
                shared.failed(&format!("HTTP/2: no connection: {failed:?}"));
                sleep(THINK).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let spoken = if speaks_tls() {
            let name = "localhost".try_into().expect("a name");
            match timeout(LIMIT, connector.connect(name, stream)).await {
                Ok(Ok(stream)) => speak(stream, shared).await,
                failed => Err(format!("no TLS: {failed:?}")),
            }
        } else {
            speak(stream, shared).await
        };
        if let Err(what) = spoken {
            shared.failed(&format!("HTTP/2: {what}"));
            sleep(THINK).await;
        }
    }
}

/// Requests on one connection, until it takes no more.
async fn speak(io: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> Result<(), String> {
    let (sender, connection) =
        h2::client::handshake(io).await.map_err(|error| format!("no connection: {error}"))?;
    // A connection that fails tells so to its stream.
    futures_util::future::join(ask(sender, shared), connection).await.0
}

/// One stream after the other. The last handle goes with it, so that the connection ends.
async fn ask(mut sender: SendRequest<Bytes>, shared: &Shared) -> Result<(), String> {
    while !shared.stopped() {
        sleep(THINK).await;
        // GOAWAY, or the end of the connection, before anything was sent.
        let Ok(ready) = sender.ready().await else { return Ok(()) };
        sender = ready;
        let request = Request::get("http://test/").body(()).expect("a request");
        let Ok((response, _)) = sender.send_request(request, true) else { return Ok(()) };
        match timeout(LIMIT, whole(response)).await {
            Ok(Ok(())) => shared.answered(),
            // Not processed, which only a server that stops may say.
            Ok(Err(error)) if shared.signalled() && refused(&error) => {}
            Ok(Err(error)) => return Err(format!("no answer: {error}")),
            Err(_) => return Err("no end of the response".to_owned()),
        }
    }
    Ok(())
}

/// Whether the server says that it did not process the stream (RFC 9113, sections 6.8 and 8.7).
fn refused(error: &h2::Error) -> bool {
    error.reason() == Some(Reason::REFUSED_STREAM) || (error.is_go_away() && error.is_remote())
}

async fn whole(response: h2::client::ResponseFuture) -> Result<(), h2::Error> {
    let response = response.await?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    // What is not the answer counts as one that was never given.
    if status == 200 && bytes == b"OK" { Ok(()) } else { Err(Reason::PROTOCOL_ERROR.into()) }
}
