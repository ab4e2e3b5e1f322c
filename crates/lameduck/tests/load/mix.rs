//! Everything at once: kept connections, fresh ones, streams, uploads and HTTP/2.
//!
//! Another kind of client is one more field here, and one more line in [`Mix::start`].

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{Fresh, KeepAlive};

use crate::http2::Http2;
use crate::load::Load;

/// How many clients of each kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) kept: usize,
    /// These ask as fast as they can, each request on a connection of its own.
    pub(crate) fresh: usize,
    /// Clients of responses that take 100 ms.
    pub(crate) streams: usize,
    /// Clients whose requests take 50 ms.
    pub(crate) uploads: usize,
    /// Connections of HTTP/2, with four streams each: short ones, one like `streams`, and one like `uploads`.
    pub(crate) http2: usize,
}

/// What the loads are that [`Mix::start`] starts, in order.
pub(crate) const KINDS: [&str; 5] =
    ["kept connections", "fresh connections", "streams", "uploads", "HTTP/2"];

impl Mix {
    /// Clients at `addr`, so far away, over TLS or not.
    pub(crate) fn start(
        &self,
        addr: SocketAddr,
        round_trip: Duration,
        tls: bool,
    ) -> Vec<Box<dyn Load>> {
        let spread = round_trip.mul_f64(2.5).max(Duration::from_millis(50));
        let lines: String = (0..20).map(|line| format!("chunk {line:04}\n")).collect();
        let body: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let kept = KeepAlive::new(addr).spread(spread);
        let fresh = Fresh::new(addr).clients(self.fresh).spread(spread).expect("OK");
        let (kept, fresh) = if tls { (kept.tls(), fresh.tls()) } else { (kept, fresh) };
        let streams = kept.clone().clients(self.streams).path("/stream?chunks=20&ms=5");
        let between = Duration::from_millis(5);
        let uploads = kept.clone().path("/echo").upload(body.clone(), 10, between);
        let loads: [Box<dyn Load>; KINDS.len()] = [
            Box::new(kept.clients(self.kept).expect("OK").start()),
            Box::new(fresh.start()),
            Box::new(streams.expect(lines).start()),
            Box::new(uploads.clients(self.uploads).expect(body).start()),
            Box::new(Http2::start(addr, self.http2, 4, tls)),
        ];
        loads.into()
    }
}
