//! The server under test: the example `target`.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use lameduck_testkit::{
    Certificate, NOBODY, Readable, Server, ServerCommand, example, free_port, is_root,
    readable_by_anyone,
};

/// Four times the default. Where the machine stalls, a request can be on its way for longer than 250 ms (seen: a
/// client's ACK and its request, sent at once, arrived 380 ms apart), and what crosses the server's end of stream after
/// the grace is lost by the guarantee's own words: that would measure the machine. No stop takes longer by it, since
/// every client of a load speaks.
pub(crate) const IDLE_GRACE: &str = "1s";

/// The program where every user can read it.
static COPY: Mutex<Option<Readable>> = Mutex::new(None);

/// Removes the copy of the program; for the end.
pub(crate) fn clean_up() {
    drop(COPY.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// Whom the server runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// Root.
    Root,
    /// Somebody without privileges: who runs the tests, or, if that is root, `nobody`.
    Ordinary,
}

/// The target as `user`, told to bind `host`, which its clients reach as `reached`.
pub(crate) fn target(user: User, host: IpAddr, reached: IpAddr) -> ServerCommand {
    let port = free_port();
    let host = match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    };
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = copy.get_or_insert_with(|| readable_by_anyone(example("target")));
    let command = Server::command(copy)
        .env("HOST", host)
        .env("PORT", port.to_string())
        .env("LAMEDUCK_IDLE_GRACE", IDLE_GRACE)
        .addr(SocketAddr::new(reached, port));
    if user == User::Ordinary && is_root() { command.user(NOBODY) } else { command }
}

/// The same with that certificate, if it is to speak TLS.
pub(crate) fn with(command: ServerCommand, certificate: Option<&Certificate>) -> ServerCommand {
    match certificate {
        Some(certificate) => {
            command.env("TLS_CERT", certificate.certificate()).env("TLS_KEY", certificate.key())
        }
        None => command,
    }
}

/// The target on loopback.
pub(crate) fn on_loopback(user: User) -> ServerCommand {
    let loopback = [127, 0, 0, 1].into();
    target(user, loopback, loopback)
}
