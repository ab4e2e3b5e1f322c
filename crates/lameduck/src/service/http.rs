//! Declaring HTTP servers.

use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Setup;
use crate::Error;
use crate::http::listen::{Address, Local};
use crate::http::{Body, Source, Tower};
use crate::part::{Declared, PartId, sealed};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An HTTP server that a setup declared: its limits, and where it listens.
///
/// The limits keep one client from holding the server; each has a default.
#[derive(Clone)]
pub struct Http {
    source: Arc<Source>,
    id: PartId,
    local: Option<Local>,
}

impl Setup {
    /// Declares an HTTP server (HTTP/1.1 and HTTP/2, whichever the client speaks) over a tower service such as
    /// axum's `Router`. `address` is `127.0.0.1:8080`, `[::]:8080`, `localhost:8080`, or `unix:/run/shop.sock`
    /// (made with mode 0600); port 0 lets the kernel choose, see [`Http::local_addr`].
    ///
    /// Under [`run`](crate::Service::run) a socket that was passed on by `LISTEN_FDS` (systemd's socket activation)
    /// comes before a bind: the one whose name is `name`; else the one on `address`; else the only one without a name
    /// of its own, for the first server.
    ///
    /// It listens at once, and accepts when the service is ready. If it cannot listen, the start fails with an
    /// error that says why.
    ///
    /// Each connection has a clone of `service`, which is asked for readiness (`poll_ready`) before each call.
    #[track_caller]
    pub fn http<S, B>(&mut self, name: &str, address: impl std::fmt::Display, service: S) -> Http
    where
        S: tower_service::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        self.http_hyper(name, address, Tower::new(service))
    }

    /// The same over a hyper service.
    #[track_caller]
    pub fn http_hyper<S, B>(
        &mut self,
        name: &str,
        address: impl std::fmt::Display,
        service: S,
    ) -> Http
    where
        S: hyper::service::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let place = Location::caller();
        let bound =
            address.to_string().parse::<Address>().map_err(|error| error.to_string()).and_then(
                |address| {
                    self.sockets
                        .listen(name, &address, true, self.shared.events())
                        .map_err(|error| error.to_string())
                },
            );
        match bound {
            Ok(listener) => {
                let local = listener.local_addr().ok();
                let source = Source::listening(name, place, &self.shared, listener, service);
                self.add(source, local)
            }
            Err(error) => {
                self.failed.get_or_insert(Error::msg(format!("`{name}`: {error}")));
                let nobody = futures_util::stream::empty::<tokio::net::UnixStream>();
                self.add(Source::fed(name, place, &self.shared, nobody, service), None)
            }
        }
    }

    /// The same over connections from anywhere: each item of the stream is one. The stream is not asked for
    /// more once the drain begins.
    #[track_caller]
    pub fn http_from<T, I, S, B>(&mut self, name: &str, connections: T, service: S) -> Http
    where
        T: futures_util::Stream<Item = I> + Send + 'static,
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: tower_service::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let service = Tower::new(service);
        let place = Location::caller();
        self.add(Source::fed(name, place, &self.shared, connections, service), None)
    }

    fn add(&mut self, source: Source, local: Option<Local>) -> Http {
        let grace = self.budget.idle_grace;
        source.set_limits(|limits| limits.idle_grace = grace);
        let source = Arc::new(source);
        let id = self.shared.registry().add(Arc::clone(&source) as _);
        Http { source, id, local }
    }
}

impl Http {
    /// The address and port that it listens on, if it listens on TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local.as_ref().and_then(Local::tcp)
    }

    /// How long the head of a request may take, from its first byte; then 408. Default 10 s.
    pub fn header_timeout(self, time: Duration) -> Http {
        self.source.set_limits(|limits| limits.header_timeout = time);
        self
    }

    /// Encrypts its connections. HTTP/2 is offered by ALPN.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: &crate::Tls) -> Http {
        self.source.set_tls(tls.clone());
        self
    }

    /// How long a TLS handshake may take, from the accept to its end; then the connection is closed. It is also how
    /// long a peer may send nothing at all before it. Default 10 s.
    #[cfg(feature = "tls")]
    pub fn handshake_timeout(self, time: Duration) -> Http {
        self.source.set_limits(|limits| limits.handshake_timeout = time);
        self
    }

    /// How long a connection may be silent. Default 75 s.
    pub fn idle_timeout(self, time: Duration) -> Http {
        self.source.set_limits(|limits| limits.idle_timeout = time);
        self
    }

    /// How long a request may take from the end of its head to the end of its response; then 503, or a cut
    /// where the response has begun. Default: no limit.
    pub fn request_timeout(self, time: Duration) -> Http {
        self.source.set_limits(|limits| limits.request_timeout = Some(time));
        self
    }

    /// How many connections are held at once; further ones wait in the accept queue. Default: no limit.
    pub fn max_connections(self, count: usize) -> Http {
        self.source.set_limits(|limits| limits.connections = Some(count.max(1)));
        self
    }

    /// Says that this server uses another part, which so stops after it.
    pub fn uses(self, used: &impl Declared) -> Http {
        self.id.uses(used.id());
        self
    }
}

impl Declared for Http {}
impl sealed::Sealed for Http {
    fn id(&self) -> &PartId {
        &self.id
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("local", &self.local).finish_non_exhaustive()
    }
}
