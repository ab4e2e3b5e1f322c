//! A server is a real process: what it prints is seen, its end is timed, and it never outlives its test.

#![allow(missing_docs, reason = "a test program")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lameduck_testkit::{
    Client, NOBODY, Proc, Server, ServerCommand, Signal, eventually, free_port, is_root, pause,
    readable_by_anyone,
};

const SECOND: Duration = Duration::from_secs(1);
/// How long anything may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(10);

fn sh(script: &str) -> ServerCommand {
    Server::command("/bin/sh").arg("-c").arg(script)
}

fn python(script: &str) -> ServerCommand {
    let system = PathBuf::from("/usr/bin/python3");
    Server::command(if system.exists() { system } else { "python3".into() }).arg("-c").arg(script)
}

#[test]
fn its_output_code_and_time_are_told() {
    let server = sh("echo out; echo err >&2; sleep 1; exit 3").start();
    server.wait_for_stderr("err", LIMIT);
    server.wait_for_stdout("out", LIMIT);
    let seen = Instant::now();
    let exit = server.wait_exit(LIMIT);
    assert_eq!((exit.code, exit.signal), (Some(3), None));
    assert_eq!((exit.stdout.as_str(), exit.stderr.as_str()), ("out\n", "err\n"));
    assert!(exit.at > seen && exit.at < Instant::now());
}

#[test]
fn a_signal_and_its_time_are_told() {
    let server = sh("echo up >&2; exec sleep 60").start();
    server.wait_for_stderr("up", LIMIT);
    let sent = server.signal(Signal::TERM);
    let exit = server.wait_exit(LIMIT);
    assert_eq!((exit.code, exit.signal), (None, Some(15)));
    assert_eq!(server.signal_time(), sent);
    // How much later a thread runs is the machine's affair.
    assert!(exit.at - sent < SECOND, "{:?}", exit.at - sent);
}

#[test]
fn its_report_is_the_last_line_of_json() {
    let server =
        sh(r#"{ echo '{"phase":"ready"}'; echo '{"outcome":"clean"}'; echo 'bye {}'; } >&2"#)
            .start();
    assert_eq!(server.wait_exit(LIMIT).report()["outcome"], "clean");
    assert_eq!(server.report()["outcome"], "clean");
}

#[test]
fn it_is_ready_when_its_port_answers() {
    let server = python(
        "import os, time, http.server as h; time.sleep(0.2)
h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h.SimpleHTTPRequestHandler).serve_forever()",
    )
    .port()
    .cwd("/usr/share/doc")
    .start();
    server.ready();
    let mut client = Client::connect(server.addr()).unwrap();
    client.get("/").unwrap();
    assert_eq!(client.read_response().unwrap().status, 200);
    assert!(server.proc().descriptors() >= 4 && server.proc().threads() == 1);
    assert!(server.proc().sockets() >= 1 && server.proc().resident() > 1 << 20);
}

#[test]
fn one_that_ends_before_it_listens_fails_with_its_output() {
    let server = sh("echo no database >&2; exit 1").port().start();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        server.ready();
    }))
    .unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(text.contains("no database") && text.contains("code 1"), "{text}");
}

#[test]
fn a_drop_kills_it_and_what_it_started() {
    let server = sh("sleep 61 & echo up >&2; wait").start();
    server.wait_for_stderr("up", LIMIT);
    let pid = server.pid();
    let children = server.proc().children();
    assert_eq!(children.len(), 1);
    drop(server);
    assert!(!Proc::of(pid).runs());
    assert!(eventually(LIMIT, || !Proc::of(children[0]).runs()));
}

#[test]
fn a_panic_kills_it_too() {
    let mut pid = 0;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let server = sh("exec sleep 62").start();
        pid = server.pid();
        panic!("on purpose");
    }));
    assert!(pid > 0 && !Proc::of(pid).runs());
}

#[test]
fn its_lifetime_is_limited() {
    let server = sh("exec sleep 63").lifetime(Duration::from_millis(200)).start();
    assert_eq!(server.wait_exit(LIMIT).signal, Some(9));
}

#[test]
fn it_ends_when_the_test_process_is_killed() {
    // This test program again, as a child: it starts a server, says its id and is killed.
    if std::env::var_os("TESTKIT_ORPHAN").is_some() {
        let server = sh("exec sleep 64").start();
        println!("server={};", server.pid());
        pause(60 * SECOND);
    }
    let me = std::env::current_exe().unwrap();
    let outer = Server::command(me)
        .arg("--exact")
        .arg("it_ends_when_the_test_process_is_killed")
        .arg("--nocapture")
        .env("TESTKIT_ORPHAN", "1")
        .start();
    outer.wait_for_stdout(";", LIMIT);
    let text = outer.stdout();
    let pid = text.split_once("server=").unwrap().1.split_once(';').unwrap().0.parse().unwrap();
    assert!(Proc::of(pid).runs());
    outer.signal(Signal::KILL);
    assert!(eventually(LIMIT, || !Proc::of(pid).runs()));
}

#[test]
fn its_environment_holds_what_was_given_and_no_steering_of_ours() {
    let server = sh("env").env("LAMEDUCK_DRAIN", "5s").env("NAME", "value").port().start();
    let port = server.addr().port();
    let stdout = server.wait_exit(LIMIT).stdout;
    for line in ["LAMEDUCK_DRAIN=5s".to_owned(), "NAME=value".to_owned(), format!("PORT={port}")] {
        assert!(stdout.lines().any(|have| have == line), "{line} in {stdout}");
    }
}

#[test]
fn its_descriptors_can_be_limited() {
    let server = sh("ulimit -n; ulimit -Hn").descriptors(32).start();
    assert_eq!(server.wait_exit(LIMIT).stdout, "32\n32\n");
}

#[test]
fn a_blocked_standard_error_blocks_whoever_writes_to_it() {
    let server = sh("echo before; echo stuck >&2; echo after").stderr_blocked().start();
    server.wait_for_stdout("before", LIMIT);
    pause(Duration::from_millis(200));
    assert!(server.runs());
    assert_eq!(server.stdout(), "before\n");
}

#[test]
fn it_can_run_as_an_ordinary_user_from_a_copy() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let copy = readable_by_anyone("/usr/bin/id");
    let dir = copy.dir().to_owned();
    let exit = Server::command(&copy).user(NOBODY).start().wait_exit(LIMIT);
    assert!(exit.stdout.starts_with("uid=65534"), "{}", exit.stdout);
    assert!(!exit.stdout.contains("root"), "{}", exit.stdout);
    drop(copy);
    assert!(!dir.exists());
}

#[test]
fn ports_are_free_and_given_once() {
    let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
    let mut once = ports.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ports.len());
    std::net::TcpListener::bind(("127.0.0.1", ports[7])).unwrap();
}
