//! Listening sockets that this process did not make: they were handed over when it started. A server asks here
//! before it binds a socket of its own.
//!
//! It carries descriptors and names, and knows neither HTTP nor where a server listens. It must never take over a
//! descriptor that is not meant for this process, and never twice; none may be left open that nobody uses.
//!
//! Invariants:
//! 1. Every socket in the store listens, is a stream socket, and is closed on exec.
//! 2. Each is handed out once at most. What is left when the setup has returned is closed, and said.

mod choice;
mod kind;
mod listen_fds;
mod socket;
mod store;

pub(crate) use self::socket::Socket;
pub(crate) use self::store::Inherited;
