//! Loads count each request once, by the project's words.

#![allow(missing_docs, reason = "a test program")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lameduck_testkit::{Crowd, Fresh, Held, Idle, KeepAlive, Rude, Tally, eventually, free_port};

#[allow(dead_code, reason = "each test program uses some of it")]
mod common;
use common::{answers_and_resets, answers_ok, answers_once, read_head, reset, serve};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_server_that_always_answers_loses_nothing() {
    let addr = answers_ok();
    let (kept, fresh) =
        (KeepAlive::new(addr).expect("OK").start(), Fresh::new(addr).expect("OK").start());
    kept.flowing(500);
    fresh.flowing(200);
    for tally in [kept.finish(), fresh.finish()] {
        assert!(tally.answered >= 200, "{tally}");
        assert_eq!(tally.requests(), tally.answered, "{tally}");
        assert_eq!(tally.reconnects, 0, "{tally}");
    }
}

#[test]
fn a_client_sees_that_its_idle_connection_was_closed_and_loses_nothing() {
    // One answer a connection, without saying so: the end of stream comes while the client thinks.
    let addr = answers_once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    // Thinking begins at nothing, so some requests do cross the end; most must not.
    let load = KeepAlive::new(addr).clients(4).think(Duration::from_millis(20)).start();
    load.flowing(100);
    let tally = load.finish();
    assert!(tally.reconnects >= 90, "{tally}");
    assert!(tally.lost <= tally.answered / 5, "{tally}");
}

#[test]
fn a_server_that_says_close_is_believed() {
    let addr = answers_once("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK");
    let load = KeepAlive::new(addr).clients(4).think(Duration::from_millis(2)).start();
    load.flowing(100);
    let tally = load.finish();
    assert_eq!(tally.failed(), 0, "{tally}");
    assert!(tally.reconnects >= 90, "{tally}");
}

#[test]
fn each_way_to_lose_a_request_is_counted_and_told_with_its_time() {
    let count = Arc::new(AtomicUsize::new(0));
    let addr = serve(move |mut stream| {
        read_head(&mut stream);
        match count.fetch_add(1, Ordering::Relaxed) % 5 {
            0 => reset(stream),
            1 => drop(stream),
            2 => drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")),
            3 => drop(stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")),
            _ => drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")),
        }
    });
    let load = Fresh::new(addr).clients(1).start();
    load.flowing(10);
    load.signalled(Instant::now());
    load.flowing(10);
    let tally = load.finish();
    for number in [tally.reset, tally.lost - tally.reset, tally.cut, tally.turned_away] {
        assert!(number.abs_diff(tally.answered) <= 1, "{tally}");
    }
    assert_eq!(tally.failures.len(), 4, "{tally}");
    assert!(tally.failures[0].contains("ms before the signal: lost: reset"), "{tally}");
}

#[test]
fn clients_start_spread_over_the_time_they_are_given() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    let addr = serve(move |mut stream| {
        count.fetch_add(1, Ordering::Relaxed);
        while read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        }
    });
    let start = Instant::now();
    let load = KeepAlive::new(addr).clients(10).spread(SECOND).start();
    let all = lameduck_testkit::eventually(10 * SECOND, || accepted.load(Ordering::Relaxed) == 10);
    assert!(all && start.elapsed() >= SECOND * 9 / 10, "{:?}", start.elapsed());
    assert_eq!(load.finish().failed(), 0);
}

#[test]
fn an_upload_arrives_whole_and_takes_its_time() {
    let addr = serve(|mut stream| {
        let mut body = [0; 1000];
        while read_head(&mut stream) && stream.read_exact(&mut body).is_ok() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    let body: Vec<u8> = (0..1000_u32).map(|at| (at % 251) as u8).collect();
    let start = Instant::now();
    let load = KeepAlive::new(addr)
        .clients(1)
        .upload(body.clone(), 10, Duration::from_millis(5))
        .expect(body)
        .start();
    load.flowing(2);
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    assert_eq!(load.finish().failed(), 0);
}

#[test]
fn clients_end_by_themselves_when_refused_after_the_signal() {
    let addr = ([127, 0, 0, 1], free_port()).into();
    let listener = TcpListener::bind(addr).unwrap();
    let (kept, fresh) =
        (KeepAlive::new(addr).clients(5).start(), Fresh::new(addr).clients(3).start());
    drop(listener);
    let now = Instant::now();
    kept.signalled(now);
    fresh.signalled(now);
    let (kept, fresh) = (kept.wait(10 * SECOND), fresh.wait(10 * SECOND));
    assert!(now.elapsed() < 10 * SECOND);
    assert!(kept.refused >= 5 && fresh.refused >= 3, "{kept}\n{fresh}");
}

#[test]
fn the_command_prints_its_tally_when_its_input_ends() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lameduck-load"))
        .args([
            "--kind",
            "keepalive",
            "--clients",
            "3",
            "--for",
            "20s",
            "--addr",
            &answers_ok().to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    lameduck_testkit::pause(SECOND);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let tally: Tally = serde_json::from_slice(&output.stdout).unwrap();
    assert!(tally.answered > 0 && tally.failed() == 0, "{tally}");
}

#[test]
fn an_idle_connection_that_is_ended_in_order_is_no_loss_and_a_reset_is() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
    let closed = Idle::new(answers_once(ANSWER)).clients(2).start();
    closed.flowing(10);
    let tally = closed.finish();
    assert!(tally.reconnects >= 9, "{tally}");
    assert_eq!((tally.failed(), tally.reset), (0, 0), "{tally}");

    let reset = Idle::new(answers_and_resets(ANSWER)).clients(2).start();
    reset.flowing(5);
    let tally = reset.finish();
    assert!(tally.reset >= 3 && tally.lost == tally.reset, "{tally}");
}

#[test]
fn a_rude_client_does_each_of_its_deeds_and_counts_none() {
    let (seen, resets) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (all, broken) = (Arc::clone(&seen), Arc::clone(&resets));
    let addr = serve(move |mut stream| {
        all.fetch_add(1, Ordering::Relaxed);
        let mut bytes = Vec::new();
        let reset = stream.read_to_end(&mut bytes).is_err();
        broken.fetch_add(usize::from(reset), Ordering::Relaxed);
    });
    let load = Rude::new(addr).clients(2).start();
    let done = eventually(10 * SECOND, || {
        let (seen, resets) = (seen.load(Ordering::Relaxed), resets.load(Ordering::Relaxed));
        resets >= 20 && seen >= resets + 10
    });
    assert!(done, "{seen:?} connections, {resets:?} of them reset");
    load.signalled(Instant::now());
    assert_eq!(load.finish(), Tally::default());
}

/// Answers what a mixed load asks for; every 20th echo with one wrong byte, if it is to.
fn answers_everything(stream: &mut TcpStream, wrong: bool) -> Option<()> {
    let mut echoes = 0;
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break bytes.drain(..end + 4).collect::<Vec<u8>>();
            }
            more(stream, &mut bytes)?;
        };
        let head = String::from_utf8(head).ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while bytes.len() < length {
            more(stream, &mut bytes)?;
        }
        let mut body: Vec<u8> = bytes.drain(..length).collect();
        if let Some((_, rest)) = head.split_once("/stream?chunks=") {
            let chunks: usize = rest.split('&').next()?.parse().ok()?;
            let lines = (0..chunks).map(|line| format!("chunk {line:04}\n"));
            body = lines.collect::<String>().into_bytes();
        } else if head.starts_with("GET / ") {
            body = b"OK".to_vec();
        } else {
            echoes += 1;
            if wrong && echoes % 20 == 0 {
                *body.last_mut()? ^= 1;
            }
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut block = [0; 16 * 1024];
    let count = stream.read(&mut block).ok().filter(|&count| count > 0)?;
    bytes.extend_from_slice(&block[..count]);
    Some(())
}

#[test]
fn a_mixed_load_sees_a_wrong_byte_and_nothing_else() {
    for wrong in [false, true] {
        let addr = serve(move |mut stream| {
            let _ended = answers_everything(&mut stream, wrong);
        });
        let load = KeepAlive::new(addr).clients(4).mixed().think(SECOND / 1000).start();
        load.flowing(2000);
        let (tally, latencies) = load.finish_timed();
        assert_eq!(tally.bad > 0, wrong, "{tally}");
        assert_eq!((tally.lost, tally.cut, tally.hung, tally.reconnects), (0, 0, 0, 0), "{tally}");
        if let Some(failure) = tally.failures.first() {
            assert!(failure.contains("wrong from byte"), "{failure}");
        }
        assert!(latencies.quiet.count() > 200 && latencies.disturbed.count() == 0);
    }
}

#[test]
fn held_connections_tell_who_is_alive_who_was_closed_and_who_was_reset() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
    let count = Arc::new(AtomicUsize::new(0));
    let addr = serve(move |mut stream| {
        let number = count.fetch_add(1, Ordering::Relaxed) % 3;
        read_head(&mut stream);
        let _ = stream.write_all(ANSWER);
        match number {
            0 => {
                read_head(&mut stream);
                let _ = stream.write_all(ANSWER);
            }
            1 => drop(stream),
            _ => {
                lameduck_testkit::pause(SECOND / 20);
                reset(stream);
            }
        }
    });
    let mut held = Held::open(addr, 9).unwrap();
    assert!(eventually(5 * SECOND, || held.ended() == 6), "{} ended", held.ended());
    let held = held.finish();
    assert_eq!((held.of, held.alive), (9, 3), "{held}");
    let Tally { answered, reconnects, reset, lost, .. } = held.tally;
    assert_eq!((answered, reconnects, reset, lost), (12, 3, 3, 3));
}

#[test]
fn a_crowd_is_harmed_by_one_idle_connection_that_ends() {
    let count = Arc::new(AtomicUsize::new(0));
    let addr = serve(move |mut stream| {
        // The first one to come is idle, and is closed after its answer.
        let first = count.fetch_add(1, Ordering::Relaxed) == 0;
        while read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
            if first {
                break;
            }
        }
    });
    let crowd = Crowd::new(addr).of(2, 2, 5).start().unwrap();
    crowd.flowing(50);
    let tally = crowd.finish();
    assert_eq!((tally.idle.alive, tally.all().reconnects, tally.all().failed()), (4, 1, 0));
    assert!(tally.unharmed().is_err_and(|why| why.contains("4 of 5 idle connections alive")));
}
