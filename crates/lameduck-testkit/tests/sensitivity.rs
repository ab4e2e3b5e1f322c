//! The kit sees the losses that it was built to see: servers that stop badly, in the two ways that loopback hides.

#![allow(missing_docs, reason = "a test program")]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lameduck_testkit::{Fresh, KeepAlive, Link, Relay, in_ci, pause};

#[allow(dead_code, reason = "each test program uses some of it")]
mod common;
use common::{answer_until, serve};

const ONE_WAY: Duration = Duration::from_millis(20);

/// 1. 50 clients keep their connections, a round trip of 40 ms away. 2. The server closes each as soon as it is idle.
/// 3. A request that was on its way meets a closed socket.
#[test]
fn closing_idle_connections_without_a_grace_loses_requests_over_a_relay() {
    let closing = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&closing);
    let relay = Relay::start(serve(move |stream| answer_until(stream, &shared)), ONE_WAY);
    let load = KeepAlive::new(relay.addr()).expect("OK").start();
    load.flowing(500);
    load.signalled(Instant::now());
    closing.store(true, Ordering::Relaxed);
    pause(Duration::from_millis(300));
    let tally = load.finish();
    println!("{tally}");
    assert!(tally.lost >= 20, "{tally}");
}

/// 1. 100 clients connect, a round trip of 40 ms away. 2. The server accepts what is there and closes its listener.
/// 3. Handshakes that were half done are reset by the kernel.
#[test]
fn closing_a_listener_plainly_resets_connections_over_a_link() {
    let link = match Link::new(ONE_WAY) {
        Ok(link) => link,
        Err(why) if in_ci() => panic!("no link on CI: {why}"),
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let listener = link.server.run(|| TcpListener::bind((link.server.v4, 0)).unwrap());
    let addr = listener.local_addr().unwrap();
    let closing = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&closing);
    let server = thread::spawn(move || {
        let never = Arc::new(AtomicBool::new(false));
        while !shared.load(Ordering::Relaxed) {
            let (stream, _) = listener.accept().unwrap();
            let never = Arc::clone(&never);
            thread::spawn(move || answer_until(stream, &never));
        }
    });
    let load = link.client.run(|| Fresh::new(addr).clients(100).start());
    load.flowing(300);
    load.signalled(Instant::now());
    closing.store(true, Ordering::Relaxed);
    server.join().unwrap();
    let tally = load.wait(Duration::from_secs(10));
    println!("{tally}");
    assert!(tally.reset >= 10 && tally.lost == tally.reset, "{tally}");
    assert!(tally.refused >= 1, "{tally}");
}
