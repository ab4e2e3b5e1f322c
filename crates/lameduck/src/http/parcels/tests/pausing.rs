//! A source that takes nothing new, and that goes on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::pair::*;
use crate::part::Part as _;

#[test]
fn while_it_is_paused_connections_wait_and_are_served_once_it_goes_on() {
    let pair = Pair::new();
    pair.old.source.pause();
    until("it is at rest", || pair.old.source.is_at_rest());
    let mut waiting: Vec<Client> = (0..20).map(|_| pair.client()).collect();
    for client in &mut waiting {
        client.send(get("/waits"));
    }
    a_while();
    assert_eq!(pair.old.totals().connections.accepted, 0);
    assert!(pair.old.source.is_at_rest());
    pair.old.source.resume();
    assert!(!pair.old.source.is_at_rest());
    for client in &mut waiting {
        let got = client.answer();
        assert_eq!((got.by(), got.says_close()), ("old", false));
    }
}

#[test]
fn what_waits_is_for_the_successor_once_it_starts_and_the_predecessor_leaves_the_listener() {
    let pair = Pair::new();
    pair.pass_on();
    pair.old.source.pause();
    until("it is at rest", || pair.old.source.is_at_rest());
    let mut waiting = pair.client();
    waiting.send(get("/waits"));
    pair.old.source.stop();
    until("it is over", || pair.old.source.is_done());
    pair.new.source.start();
    assert_eq!(waiting.answer().by(), "new");
    assert_eq!(pair.client().get("/fresh").by(), "new");
    let detail = pair.old.source.report().and_then(|report| report.detail);
    assert_eq!(detail.as_deref(), Some("left to the successor"));
}

#[test]
fn the_file_of_a_unix_socket_stays_for_the_successor() {
    let folder = std::env::temp_dir().join(format!("lameduck-pausing-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("socket");
    let pair = Pair::on(&format!("unix:{}", path.display()));
    pair.old.source.pause();
    pair.old.source.stop();
    until("it is over", || pair.old.source.is_done());
    assert!(path.exists());
    pair.new.source.start();
    let mut client = std::os::unix::net::UnixStream::connect(&path).expect("connected");
    let mut got = String::new();
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    std::io::Read::read_to_string(&mut client, &mut got).expect("an answer");
    assert!(got.contains("by: new"), "{got}");
    // Once it holds it alone, the file is its own.
    pair.new.source.set_alone(true);
    pair.new.source.stop();
    until("it is over", || pair.new.source.is_done());
    assert!(!path.exists());
    std::fs::remove_dir(&folder).expect("empty");
}

#[test]
fn pausing_and_going_on_at_any_moment_loses_no_connection() {
    let pair = Pair::new();
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut client = pair.client();
                    client.send("GET /fresh HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
                    assert_eq!(client.answer().body, b"/fresh");
                    client.ends();
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..100_usize {
            pair.old.source.pause();
            if round.is_multiple_of(3) {
                until("it is at rest", || pair.old.source.is_at_rest());
            }
            pair.old.source.resume();
            let before = served.load(Ordering::Relaxed);
            until("some are served", || served.load(Ordering::Relaxed) > before + round % 5);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(served.load(Ordering::Relaxed) > 100);
}
