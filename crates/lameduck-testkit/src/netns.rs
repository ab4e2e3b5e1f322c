//! Working inside a network namespace without leaving the process.
//!
//! The namespace belongs to the thread, is inherited by the threads and processes it starts, and sticks to the
//! sockets it makes: so a closure on a thread of its own is all that is needed, and no program has to be started
//! again by `ip netns exec`.

use std::fs::File;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs `work` on a thread that was moved into the namespace `name` (as `ip netns` names it). Sockets made there,
/// and threads, loads and [`Server`](crate::Server)s started there, belong to it.
///
/// # Panics
/// If the namespace isn't there or we aren't root; a panic of `work` passes through.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inner = scope.spawn(|| {
            let path = format!("/var/run/netns/{name}");
            let file = File::open(&path)
                .unwrap_or_else(|error| panic!("no network namespace {path}: {error}"));
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .unwrap_or_else(|error| {
                    panic!("could not enter the network namespace {name}: {error}")
                });
            work()
        });
        inner.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// [`within`], or right here if no namespace is named.
pub(crate) fn within_or_here<T: Send>(name: Option<&str>, work: impl FnOnce() -> T + Send) -> T {
    match name {
        Some(name) => within(name, work),
        None => work(),
    }
}
