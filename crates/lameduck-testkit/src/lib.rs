//! What lameduck's black-box tests are made of: real processes, clients that speak raw bytes, links with a delay.
//!
//! - [`Server`] runs the program under test, collects what it prints, signals it and takes the time of its exit.
//!   [`Generations`] are a server that restarts itself.
//! - [`Client`] is one HTTP/1.1 connection; it tells exactly how a request ended, in the words of [`Outcome`].
//!   It speaks TLS as well, with the same interface.
//! - [`KeepAlive`] and [`Fresh`] are loads made of such clients, [`Idle`] ones hold connections, [`Rude`] ones break
//!   off; a [`Running`] load ends as a [`Tally`]. A [`Crowd`] is the load for restarts: kept, fresh and [`Held`] ones.
//! - [`Sample`] is what a process holds at a moment; [`Growth`] tells from many of them whether it grows.
//! - [`Relay`] puts a delay between a client and a server on loopback; [`Link`] puts one between two kernels
//!   (network namespaces), handshakes included.
//! - [`Nginx`], [`Haproxy`] and [`Caddy`] are servers that can [`Reload`], to compare with.
//! - [`Postgres`], [`Redis`] and [`Nats`] are the real ones, each on a free port with a directory of its own.
//!   [`Chromium`] opens a [`Page`]. [`needing()`] makes a test of a case that needs one of them, or another
//!   [`Tool`].
//!
//! Everything is blocking and made of threads, so that nothing here shares a runtime's faults with what it tests.
//! Helpers that a test can't go on without panic with what the child printed; verdicts on requests are values.

mod certificate;
mod chromium;
mod client;
mod command;
mod daemon;
mod dial;
mod ending;
mod exit;
mod failure;
mod generations;
mod growth;
mod guard;
mod link;
mod load;
mod missing;
mod nats;
mod needing;
mod netns;
mod output;
mod pause;
mod places;
mod port;
mod postgres;
mod proc;
mod readable;
mod redis;
mod relay;
mod reload;
mod report;
mod sample;
mod scratch;
mod server;
mod session;
mod side;
mod tool;
pub use certificate::Certificate;
pub use chromium::{Chromium, Page};
pub use client::Client;
pub use command::ServerCommand;
pub use ending::Ending;
pub use exit::Exit;
pub use failure::Failure;
pub use generations::Generations;
pub use growth::{Bounds, Growth};
pub use lameduck_probe::http1::Response;
pub use lameduck_probe::{Look, Outcome};
pub use link::Link;
pub use load::{
    Crowd, CrowdTally, Fresh, Gathered, Held, HeldTally, Idle, KeepAlive, Latencies, Latency, Rude,
    Running, Tally,
};
pub use missing::Missing;
pub use nats::Nats;
pub use needing::needing;
pub use netns::within;
pub use pause::{eventually, pause};
pub use places::{bin, example, in_ci, is_root};
pub use port::free_port;
pub use postgres::Postgres;
pub use proc::Proc;
pub use readable::{Readable, readable_by_anyone};
pub use redis::Redis;
pub use relay::Relay;
pub use reload::{Caddy, Haproxy, Nginx, Reload, Reloaded, Reloads};
pub use report::last_json_object;
pub use rustix::process::Signal;
pub use sample::Sample;
pub use server::Server;
pub use session::{speak_tls, speaks_tls, trusting_anyone};
pub use side::Side;
pub use tool::Tool;

/// The uid and gid of `nobody`, for running a server as an ordinary user.
pub const NOBODY: u32 = 65534;
