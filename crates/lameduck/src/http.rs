//! Serving HTTP/1.1 and HTTP/2: where a service listens, what happens to each connection, and how a listener
//! closes without loss. Knows nothing of processes, tasks or resources.

mod body;
pub(crate) mod close;
mod connection;
mod cork;
mod frames;
mod in_flight;
mod late;
pub(crate) mod listen;
mod opening;
#[cfg(feature = "restart")]
mod parcels;
mod peek;
mod respond;
mod service;
mod silent;
mod source;
#[cfg(feature = "http2")]
mod streams;
#[cfg(test)]
mod testing;
#[cfg(feature = "tls")]
pub(crate) mod tls;
mod tower;
mod tracked;

pub use self::body::Body;
use self::in_flight::InFlight;
use self::peek::peek;
use self::respond::ResponseBody;
pub(crate) use self::source::Source;
pub(crate) use self::tower::Tower;
use crate::connections::Record;

/// Makes the kernel reset the connection when its descriptor closes (`SO_LINGER` with zero, socket(7)), so
/// that a response whose end is marked by the end of the connection is not taken for whole.
fn reset_on_close(record: &Record) {
    record.remote().with(|fd| {
        // A socket that is gone already needs no reset.
        let _ = socket2::SockRef::from(&fd).set_linger(Some(std::time::Duration::ZERO));
        #[cfg(feature = "restart")]
        if crate::sys::Far::is_shared(record) {
            // Where another process holds the socket too, its close resets nothing; this does (connect(2), AF_UNSPEC).
            let _ = rustix::net::connect_unspec(fd);
        }
    });
}
