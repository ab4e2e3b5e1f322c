//! `03_opentelemetry`: traces and metrics are sent last of all, and a collector that does not answer holds nothing up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use lameduck_testkit::{KeepAlive, Signal};
use libtest_mimic::Trial;

use crate::program::{SECOND, ended, get, part, program, stopped_under, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("b7_the_last_spans_and_metrics_reach_the_collector_after_all_else_closed", arrive),
        test("a_collector_that_does_not_answer_holds_nothing_up", is_silent),
        test("a_collector_that_is_not_there_is_named", is_missing),
    ]
}

/// The close budget, and what a busy machine may add.
const BOUND: Duration = Duration::from_secs(4);

fn arrive() {
    let (collector, exports) = collector(true);
    let server = program("03_opentelemetry")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
        .start();
    server.ready();
    let load = KeepAlive::new(server.addr()).clients(20).path("/work").expect("done\n").start();
    let (tally, exit) = stopped_under(load, &server);
    assert_eq!((tally.failed(), tally.turned_away), (0, 0), "{tally}");
    let report = ended(&exit, 0);
    for name in ["ledger", "traces", "metrics"] {
        assert_eq!(part(&report, name)["state"], "done", "{report}");
    }
    let exports: Vec<Export> = exports.try_iter().collect();
    let sent = |path: &str, text: &str| -> usize {
        let all = exports.iter().filter(|export| export.path == path);
        all.map(|export| count(&export.body, text)).sum()
    };
    assert_eq!(sent("/v1/traces", "work of a request") as u64, tally.answered);
    // The ledger's own span is in the last of them: it had closed before that was sent.
    let last = exports.iter().rfind(|export| export.path == "/v1/traces").expect("an export");
    assert_eq!(count(&last.body, "close the ledger"), 1);
    // Metrics are sent once a minute, and at the end.
    assert_eq!(sent("/v1/metrics", "requests"), 1);
}

fn is_silent() {
    let (collector, exports) = collector(false);
    let (took, report) = stop_without(collector);
    assert!(exports.try_iter().count() >= 2, "neither was sent to");
    assert!(took < BOUND, "{took:?}");
    // The export's own limit is shorter than the budget: an error that is told, and nothing left behind.
    for name in ["traces", "metrics"] {
        assert_eq!(part(&report, name)["state"], "failed", "{report}");
    }
}

fn is_missing() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], lameduck_testkit::free_port()));
    let (took, report) = stop_without(nobody);
    assert!(took < BOUND, "{took:?}");
    assert_eq!(part(&report, "traces")["state"], "failed", "{report}");
    assert_eq!(part(&report, "ledger")["state"], "done", "{report}");
}

/// Stops a service that has something to send and nobody who takes it: how long that took, and its report.
fn stop_without(collector: SocketAddr) -> (Duration, serde_json::Value) {
    let server = program("03_opentelemetry")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
        .start();
    server.ready();
    assert_eq!(get(server.addr(), "/work").status, 200);
    let signalled = server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    (exit.at - signalled, ended(&exit, 1))
}

/// What a collector was sent.
struct Export {
    path: String,
    body: Vec<u8>,
}

/// A collector: as much of OTLP over HTTP as it takes to get everything, answered with an empty message or not at all.
fn collector(answers: bool) -> (SocketAddr, Receiver<Export>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, exports) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            thread::spawn(move || collect(stream, &sender, answers));
        }
    });
    (address, exports)
}

/// The exports of one connection, to its end.
fn collect(stream: TcpStream, exports: &Sender<Export>, answers: bool) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        exports.send(Export { path, body }).ok()?;
        if answers {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
            reader.get_mut().write_all(answer).ok()?;
        }
    }
}

/// How often the text stands in the message: protobuf writes strings as they are.
fn count(message: &[u8], text: &str) -> usize {
    message.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}
