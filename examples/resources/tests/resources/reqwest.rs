//! `04_reqwest`: calls to others end by the deadline.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use lameduck_testkit::{KeepAlive, Server, Signal, pause};
use libtest_mimic::Trial;

use crate::program::{SECOND, asking, ended, program, stopped_under, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("b7_a_call_that_is_never_answered_is_cut_at_the_deadline_and_named", is_cut),
        test("b7_calls_in_flight_end_within_the_drain", end),
        test("a_handler_that_sees_the_deadline_coming_answers_by_itself", answers_by_itself),
    ]
}

/// The drain of these services.
const DRAIN: Duration = Duration::from_secs(2);

fn is_cut() {
    let upstream = Upstream::start(None);
    let server = upstream.service();
    let mut client = asking(server.addr(), "/pay");
    upstream.asked();
    let signalled = server.signal(Signal::TERM);
    assert_eq!(client.read_response().expect("a whole 503").status, 503);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 75);
    let stuck = &report["stuck"][0];
    assert_eq!(
        (stuck["kind"].as_str(), stuck["name"].as_str()),
        (Some("request"), Some("GET /pay"))
    );
    let doing = stuck["doing"].as_str().unwrap_or_default();
    assert!(doing.contains(&format!("waits for http://{}/", upstream.addr)), "{report}");
    // Those who are called see the end as well, at the deadline and not when the process is gone at some time.
    let closed = upstream.closed();
    assert!(closed >= signalled + DRAIN && closed < signalled + DRAIN + SECOND);
}

fn end() {
    let upstream = Upstream::start(Some(DRAIN / 5));
    let server = upstream.service();
    let load = KeepAlive::new(server.addr()).clients(20).path("/pay").expect("paid").start();
    let (tally, exit) = stopped_under(load, &server);
    assert_eq!((tally.failed(), tally.turned_away), (0, 0), "{tally}");
    ended(&exit, 0);
}

fn answers_by_itself() {
    let upstream = Upstream::start(None);
    let server = upstream.service();
    let mut client = asking(server.addr(), "/try");
    upstream.asked();
    let signalled = server.signal(Signal::TERM);
    let answer = client.read_response().expect("an answer");
    assert_eq!(answer.status, 504);
    assert!(answer.text().starts_with("Whether it was paid is not known."));
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 0);
    assert!(exit.at - signalled < DRAIN + SECOND, "{:?}", exit.at - signalled);
}

/// Who is called: answers each call after some time, or none. Tells when it was asked, and when a caller left.
struct Upstream {
    addr: SocketAddr,
    events: Receiver<(&'static str, Instant)>,
}

impl Upstream {
    fn start(answers: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, events) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || serve(stream, &sender, answers));
            }
        });
        Self { addr, events }
    }

    /// The service that calls it, ready.
    fn service(&self) -> Server {
        let server = program("04_reqwest")
            .env("PAYMENTS_URL", format!("http://{}/", self.addr))
            .env("LAMEDUCK_DRAIN", "2s")
            .start();
        server.ready();
        server
    }

    #[track_caller]
    fn asked(&self) {
        self.event("asked");
    }

    #[track_caller]
    fn closed(&self) -> Instant {
        self.event("closed").1
    }

    #[track_caller]
    fn event(&self, what: &str) -> (&'static str, Instant) {
        let event = self.events.recv_timeout(10 * SECOND);
        let event = event.unwrap_or_else(|_| panic!("the upstream was not {what}"));
        assert_eq!(event.0, what);
        event
    }
}

/// The calls of one connection, to its end.
fn serve(stream: TcpStream, events: &Sender<(&'static str, Instant)>, answers: Option<Duration>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
        if line == "\r\n" {
            let _ = events.send(("asked", Instant::now()));
            if let Some(time) = answers {
                pause(time);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npaid";
                let _ = stream.get_mut().write_all(answer);
            }
        }
        line.clear();
    }
    let _ = events.send(("closed", Instant::now()));
}
