//! One request in flight, and how it ended.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use http::Method;
use http::uri::PathAndQuery;
use slab::Slab;

use super::{Limits, Path};

/// One request in flight.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: Path,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) note: Option<String>,
    /// HTTP/2 only: HTTP/1 keeps these for the whole connection.
    pub(crate) stream: Option<Stream>,
}

/// What an HTTP/2 request has for itself.
#[derive(Debug)]
pub(crate) struct Stream {
    /// When it began, since the server's epoch; until the first poll of its task has ended, as of the tick before.
    pub(crate) since: Duration,
    pub(crate) head_out: bool,
    /// It left HTTP: a WebSocket, for instance (RFC 8441).
    pub(crate) upgraded: bool,
    /// Its handler has waited for more of the request's body since then.
    pub(crate) body_wait: Option<Duration>,
    /// Its response has waited for the peer to make room since then.
    pub(crate) window_wait: Option<Duration>,
    /// It is a gRPC call, in which a quiet peer is nothing unusual.
    pub(crate) grpc: bool,
    /// It is over before its time.
    pub(crate) over: Option<Over>,
    /// Its response was dropped before its end.
    pub(crate) cut: bool,
    /// Its task's, once that has been polled for the first time: before, nothing can end it.
    pub(crate) waker: Option<Waker>,
}

/// Why a stream is over before its time. A later one takes the place of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Over {
    /// Nothing more came of the body that its handler waits for.
    Silent,
    /// The request took too long.
    TooLong,
    /// The peer made no room for its response.
    Stalled,
}

impl Stream {
    /// A stream that began at `since`.
    #[cfg(feature = "http2")]
    pub(crate) fn new(since: Duration, grpc: bool) -> Stream {
        Stream {
            since,
            head_out: false,
            upgraded: false,
            body_wait: None,
            window_wait: None,
            grpc,
            over: None,
            cut: false,
            waker: None,
        }
    }

    /// Whether its time is over now, and why: what [`super::judge`] says of an HTTP/1 connection.
    pub(crate) fn judge(&self, limits: &Limits, now: Duration) -> Option<Over> {
        if self.upgraded {
            return self.over;
        }
        let past = |since: Option<Duration>, limit: Option<Duration>| {
            since.zip(limit).is_some_and(|(since, limit)| since.saturating_add(limit) <= now)
        };
        let idle = Some(limits.idle_timeout);
        let waits = self.body_wait.filter(|_| !self.head_out && !self.grpc);
        let now = if past(self.window_wait, idle) {
            Some(Over::Stalled)
        } else if past(self.waker.as_ref().map(|_| self.since), limits.request_timeout) {
            Some(Over::TooLong)
        } else if past(waits, idle) {
            Some(Over::Silent)
        } else {
            None
        };
        self.over.max(now)
    }
}

impl Request {
    /// Stands where none has begun.
    const NONE: Request =
        Request { method: Method::GET, path: Path::NONE, route: None, note: None, stream: None };

    /// One that has just begun.
    #[cfg(feature = "http2")]
    pub(crate) fn new(
        method: &Method,
        path: Option<&PathAndQuery>,
        stream: Option<Stream>,
    ) -> Request {
        Request { method: method.clone(), path: Path::new(path), route: None, note: None, stream }
    }

    /// `GET /items/{id}` where the route is known, else the path without its query.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.route.as_deref().unwrap_or(self.path.as_str()))
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Ending {
    Completed = 1,
    Answered503 = 2,
    Interrupted = 3,
    Cut = 4,
    Gone = 5,
}

impl Ending {
    /// 0 stands for none.
    pub(crate) fn from_u8(number: u8) -> Option<Ending> {
        match number {
            0 => None,
            1 => Some(Ending::Completed),
            2 => Some(Ending::Answered503),
            3 => Some(Ending::Interrupted),
            4 => Some(Ending::Cut),
            _ => Some(Ending::Gone),
        }
    }
}

/// The requests in flight on one connection. HTTP/1 has one at most, which has its place, and keeps it beyond its end: the
/// next one is written over it. Whether it is in flight is the record's to know.
#[derive(Debug)]
pub(crate) struct Requests {
    first: Request,
    more: Slab<Request>,
}

impl Requests {
    #[inline]
    pub(crate) fn new() -> Requests {
        Requests { first: Request::NONE, more: Slab::new() }
    }

    /// Keeps the only request of an HTTP/1 connection; its key is 0. `true`: it has to be forgotten at its end.
    #[inline]
    pub(crate) fn set_first(&mut self, method: &Method, path: Option<&PathAndQuery>) -> bool {
        let first = &mut self.first;
        if first.method != *method {
            first.method = method.clone();
        }
        first.path.set(path);
        // Of the one before, should it have been told after its end.
        first.route = None;
        first.note = None;
        first.path.is_long()
    }

    /// Keeps a request of an HTTP/2 connection. Its key is never 0.
    #[cfg(feature = "http2")]
    pub(crate) fn insert(&mut self, request: Request) -> u32 {
        // 200 streams at most are open at once: the key is small.
        u32::try_from(self.more.insert(request) + 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&mut self, key: u32) -> Option<&mut Request> {
        match key.checked_sub(1) {
            None => Some(&mut self.first),
            Some(index) => self.more.get_mut(index as usize),
        }
    }

    /// Forgets what the only request of an HTTP/1 connection had beyond a short name.
    pub(crate) fn forget_first(&mut self) {
        self.first = Request::NONE;
    }

    /// Gives a request of an HTTP/2 connection back.
    pub(crate) fn remove(&mut self, key: u32) -> Option<Request> {
        self.more.try_remove(key.checked_sub(1)? as usize)
    }

    /// Forgets all of an HTTP/2 connection.
    pub(crate) fn clear(&mut self) {
        self.more.clear();
    }

    /// How many of an HTTP/2 connection there are.
    pub(crate) fn streams(&self) -> usize {
        self.more.len()
    }

    /// All of them with their keys.
    pub(crate) fn iter(&mut self) -> impl Iterator<Item = (u32, &mut Request)> {
        let more = self.more.iter_mut();
        let more =
            more.map(|(index, request)| (u32::try_from(index + 1).unwrap_or(u32::MAX), request));
        std::iter::once((0, &mut self.first)).chain(more)
    }
}
