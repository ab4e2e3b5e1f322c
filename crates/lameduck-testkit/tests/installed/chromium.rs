//! Chromium: a page that lives, and that sees its server go.

use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lameduck_testkit::{Chromium, Server, Tool, free_port, needing};
use libtest_mimic::Trial;

const LIMIT: Duration = Duration::from_secs(10);

/// Asks for `/state` ten times a second and shows it, or that nobody answers; a button puts a state of its own there.
const PAGE: &str = "<!doctype html><title>live</title><p id=state>none</p><button>Buy</button>
<script>
  const show = text => document.querySelector('#state').textContent = text;
  setInterval(() => fetch('/state').then(answer => answer.text()).then(show, () => show('gone')), 100);
  document.querySelector('button').onclick = () => fetch('/state', { method: 'PUT', body: 'bought' });
  console.log('loaded', 1);
</script>";

const SERVER: &str = "
import http.server, os, sys
state = 'open'
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, text, kind):
        self.send_response(200)
        self.send_header('content-type', kind)
        self.send_header('content-length', str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def do_GET(self):
        if self.path == '/state': self.answer(state, 'text/plain')
        else: self.answer(os.environ['PAGE'], 'text/html')
    def do_PUT(self):
        global state
        state = self.rfile.read(int(self.headers['content-length'])).decode()
        self.answer('', 'text/plain')
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Chromium];
    vec![
        needing(&tools, "chromium_sees_a_page_change_and_its_server_go", sees_a_server_go),
        needing(&tools, "chromium_says_what_it_expected_and_what_was_there", says_what_was_there),
        needing(&tools, "chromium_reaches_no_other_host", reaches_no_other_host),
        needing(&tools, "chromium_says_why_a_page_can_not_be_opened", says_why_not_opened),
    ]
}

fn sees_a_server_go() {
    let server = Server::command("/usr/bin/python3").arg("-c").arg(SERVER).env("PAGE", PAGE).port();
    let server = server.start();
    server.ready();
    let chromium = Chromium::start().unwrap();
    let mut page = chromium.open(&format!("http://{}/", server.addr()));
    let state = |text: &str| format!("document.querySelector('#state').textContent === '{text}'");

    page.wait_until(&state("open"), LIMIT);
    assert_eq!(page.evaluate("document.title"), "live");
    assert_eq!(page.evaluate("fetch('/state').then(answer => answer.text())"), "open");
    page.evaluate("document.querySelector('button').click()");
    page.wait_until(&state("bought"), LIMIT);
    assert_eq!(page.text().lines().next(), Some("bought"));
    assert_eq!(page.console().first().map(String::as_str), Some("log: loaded 1"));

    drop(server);
    page.wait_until(&state("gone"), LIMIT);
    let console = page.console();
    assert!(console.iter().any(|line| line.contains("ERR_CONNECTION_REFUSED")), "{console:?}");
}

fn says_what_was_there() {
    let chromium = Chromium::start().unwrap();
    let mut page = chromium.open("data:text/html,<p>two<script>console.warn('old')</script>");
    let message = |work: &mut dyn FnMut()| {
        *catch_unwind(AssertUnwindSafe(work)).unwrap_err().downcast::<String>().unwrap()
    };
    let waited = message(&mut || page.wait_until("1 + 1", Duration::from_millis(50)));
    assert!(waited.starts_with("`1 + 1` is not true within 50ms, but: 2\n"), "{waited}");
    assert!(waited.contains("\ntwo\n--- its console:\nwarning: old\n"), "{waited}");
    let thrown = message(&mut || drop(page.evaluate("nothing.here")));
    assert!(thrown.contains("ReferenceError: nothing is not defined"), "{thrown}");
}

fn reaches_no_other_host() {
    // Not the address that is let through, though it is this machine as well.
    let other = TcpListener::bind("127.0.0.2:0").unwrap();
    let why = Chromium::start().unwrap().try_open(&url(other.local_addr().unwrap())).unwrap_err();
    assert_eq!(why, "net::ERR_NAME_NOT_RESOLVED");
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "it connected");
}

fn says_why_not_opened() {
    let chromium = Chromium::start().unwrap();
    let nobody = url(([127, 0, 0, 1], free_port()).into());
    assert_eq!(chromium.try_open(&nobody).unwrap_err(), "net::ERR_CONNECTION_REFUSED");
}

fn url(addr: SocketAddr) -> String {
    format!("http://{addr}/")
}
