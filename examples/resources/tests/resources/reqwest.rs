//! `04_reqwest`: calls to others end by the deadline.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use lameduck_testkit::{Server, Signal};
use libtest_mimic::Trial;

use crate::program::{SECOND, asking, ended, program, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("b7_a_call_that_is_never_answered_is_cut_at_the_deadline_and_named", is_cut),
        test("b7_a_call_in_flight_ends_within_the_drain", ends),
        test("a_handler_that_sees_the_deadline_coming_answers_by_itself", answers_by_itself),
    ]
}

/// The drain of these services.
const DRAIN: Duration = Duration::from_secs(1);

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

fn ends() {
    let upstream = Upstream::start(Some(DRAIN / 2));
    let server = upstream.service();
    let mut client = asking(server.addr(), "/pay");
    upstream.asked();
    server.signal(Signal::TERM);
    let answer = client.read_response().expect("an answer");
    assert_eq!((answer.status, &*answer.text()), (200, "paid"));
    ended(&server.wait_exit(10 * SECOND), 0);
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

/// Who is called: answers one call after some time, or never. Tells when it was asked, and when its caller left.
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
            let mut stream = BufReader::new(listener.accept().ok()?.0);
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).ok()?;
            }
            sender.send(("asked", Instant::now())).ok()?;
            if let Some(time) = answers {
                lameduck_testkit::pause(time);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npaid";
                stream.get_mut().write_all(answer).ok()?;
            }
            // Nothing more is sent: this returns when the caller leaves.
            let _ = stream.fill_buf();
            sender.send(("closed", Instant::now())).ok()
        });
        Self { addr, events }
    }

    /// The service that calls it, ready.
    fn service(&self) -> Server {
        let server = program("04_reqwest")
            .env("PAYMENTS_URL", format!("http://{}/", self.addr))
            .env("LAMEDUCK_DRAIN", "1s")
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
