//! Clients that abuse the TLS handshake: they begin it and go no further, or go through it again and again. The others,
//! whose connections are encrypted as well, are served.

#![allow(missing_docs, reason = "a test program")]
#![cfg(feature = "tls")]

mod fixture;
mod siege;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lameduck_testkit::{Certificate, Client, Look, Server, eventually, example, pause, speak_tls};

use fixture::{SECOND, serving};
use siege::{MIB, Siege};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// The example `target` with a certificate, its good clients and its attackers; a handshake may take a second.
fn siege(certificate: &Certificate) -> Siege {
    speak_tls();
    let command = Server::command(example("target"))
        .port()
        .env("TLS_CERT", certificate.certificate())
        .env("TLS_KEY", certificate.key())
        .env("TLS_HANDSHAKE_MS", "1000")
        .env("LAMEDUCK_DRAIN", "3s")
        .env("LAMEDUCK_IDLE_GRACE", "1s");
    Siege::on(|| serving(command))
}

#[test]
fn handshakes_that_stop_half_way_meet_the_handshake_timeout_and_disturb_nobody() {
    // Ends of attackers' connections: those after the handshake timeout, and those before.
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    static EARLY: AtomicUsize = AtomicUsize::new(0);
    let certificate = Certificate::new();
    let mut siege = siege(&certificate);
    siege.attack(2, 200, |attacker| {
        let mut clients: Vec<(Client, Instant)> = (0..100)
            .filter_map(|_| {
                let since = Instant::now();
                let mut client = attacker.connect_silent()?;
                let hello = client.seal(b"");
                client.send_raw(&hello[..hello.len() / 2]).ok()?;
                Some((client, since))
            })
            .collect();
        while !attacker.is_over() && !clients.is_empty() {
            clients.retain_mut(|(client, since)| {
                if client.look() == Look::Open {
                    return true;
                }
                let ended = if since.elapsed() + ms(5) > SECOND { &ENDED } else { &EARLY };
                ended.fetch_add(1, Ordering::Relaxed);
                false
            });
            attacker.wait(ms(50));
        }
    });
    siege.holds(200 * 48 * 1024);
    // In the stop there are other limits.
    let ended = eventually(8 * SECOND, || ENDED.load(Ordering::Relaxed) >= 200);
    assert!(ended, "{ENDED:?} of 200 handshakes have ended");
    assert_eq!(EARLY.load(Ordering::Relaxed), 0);
    // The last of them began when the drain did.
    siege.stop(0).within(2 * SECOND + ms(250)).nothing_stuck();
}

#[test]
fn whole_handshakes_again_and_again_disturb_nobody() {
    static SHAKEN: AtomicUsize = AtomicUsize::new(0);
    let certificate = Certificate::new();
    let mut siege = siege(&certificate);
    // None is resumed: each client comes with a configuration of its own, as it would with an address of its own.
    siege.attack(1, 50, |attacker| {
        let Some(client) = attacker.connect() else { return };
        SHAKEN.fetch_add(usize::from(client.certificate().is_some()), Ordering::Relaxed);
        client.reset();
        // All the processor time there is, is what any client can take.
        pause(ms(10));
    });
    // And some that are no handshake.
    siege.attack(1, 40, |attacker| {
        let Some(mut client) = attacker.connect_silent() else { return };
        let _ = client.send_raw(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert!(client.read_response().is_err(), "HTTP in the clear was answered");
        pause(ms(20));
    });
    siege.holds(8 * MIB);
    assert!(SHAKEN.load(Ordering::Relaxed) >= 50, "{SHAKEN:?} handshakes were whole");
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}
