//! The black-box tests of connections once more, over TLS, as they are: in this program the servers encrypt and the
//! clients of the testkit decrypt (`target::over_tls`). What TLS adds is in `tls/`.
//!
//! Not run over TLS, and what holds instead:
//! - `bounded.rs`, `a4_with_every_runtime_thread_blocked_it_answers_503_and_exits_in_time`: the 503 that the supervisor
//!   thread writes by itself. It has no keys, so such a client is cut, and can tell:
//!   `tls/blocked.rs`, `with_every_runtime_thread_blocked_a_client_is_cut_and_can_tell`.
//! - `unix_socket.rs`, `admin.rs`: who can reach a Unix socket or the admin listener needs no TLS.
//! - All else of `bounded.rs`, and `signals.rs`, `exit_codes.rs`, `start.rs`, `order.rs`, `serve.rs`,
//!   `report_contents.rs`: about processes, parts and reports, whose connections end as those here.
#![allow(missing_docs, reason = "a test program")]
#![allow(
    clippy::duplicate_mod,
    reason = "each of the programs that this one includes has its own `target`"
)]

// By their paths, or their own `mod target` would be looked for elsewhere.
#[path = "connections_deadline.rs"]
mod connections_deadline;
#[path = "connections_http2.rs"]
mod connections_http2;
#[path = "connections_in_flight.rs"]
mod connections_in_flight;
#[path = "connections_limits.rs"]
mod connections_limits;
#[path = "connections_silent.rs"]
mod connections_silent;
#[path = "connections_upgraded.rs"]
mod connections_upgraded;
#[path = "go_shutdown.rs"]
mod go_shutdown;
mod target;

#[path = "tls/blocked.rs"]
mod blocked;
#[path = "tls/endings.rs"]
mod endings;
#[path = "tls/fed.rs"]
mod fed;
#[path = "tls/half_records.rs"]
mod half_records;
#[path = "tls/handshake.rs"]
mod handshake;
#[path = "tls/reload.rs"]
mod reload;
