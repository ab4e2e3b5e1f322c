//! A service on a Unix socket.

#![allow(missing_docs, reason = "a test program")]

mod target;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lameduck_testkit::{Client, Failure, Server, Signal, eventually, example, pause};
use target::{SECOND, answered, clean, forced, ms, turned_away};

/// A directory of its own, gone with its socket.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("lameduck-{name}-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        Dir(dir)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("x.sock")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(socket: &Path, drain: &str) -> Server {
    let server = Server::command(example("target"))
        .env("HOST", format!("unix:{}", socket.display()))
        .env("LAMEDUCK_DRAIN", drain)
        .start();
    server.wait_for_stderr("ready after", 20 * SECOND);
    server
}

#[test]
fn its_requests_are_served_and_drained_and_its_file_is_removed() {
    let dir = Dir::new("drained");
    let server = start(&dir.socket(), "5s");
    let mode = std::fs::metadata(dir.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut idle = Client::connect_unix(dir.socket()).unwrap();
    idle.get("/").unwrap();
    assert!(!answered(&mut idle).says_close());
    let mut silent = Client::connect_unix(dir.socket()).unwrap();
    let mut busy = Client::connect_unix(dir.socket()).unwrap();
    busy.get("/sleep?ms=700").unwrap();
    pause(ms(100));
    server.signal(Signal::TERM);
    assert!(answered(&mut busy).says_close());
    assert!(idle.closed_cleanly(SECOND) && silent.closed_cleanly(SECOND));
    clean(&server);
    assert!(!dir.socket().exists());
}

#[test]
fn its_requests_are_told_503_at_the_drain_deadline() {
    let dir = Dir::new("deadline");
    let server = start(&dir.socket(), "500ms");
    let mut client = Client::connect_unix(dir.socket()).unwrap();
    client.get("/hang").unwrap();
    pause(ms(100));
    server.signal(Signal::TERM);
    turned_away(&mut client);
    let report = forced(&server);
    assert_eq!(report["stuck"][0]["place"], "a unix socket");
    assert!(!dir.socket().exists());
}

#[test]
fn it_takes_no_connection_after_the_stop_and_can_be_taken_over_by_the_next_process() {
    let dir = Dir::new("next");
    let first = start(&dir.socket(), "5s");
    let mut busy = Client::connect_unix(dir.socket()).unwrap();
    busy.get("/sleep?ms=1000").unwrap();
    pause(ms(100));
    first.signal(Signal::TERM);
    let refused = || matches!(Client::connect_unix(dir.socket()), Err(Failure::Refused(_)));
    assert!(eventually(SECOND, refused));
    answered(&mut busy);
    clean(&first);
    let second = start(&dir.socket(), "5s");
    let mut client = Client::connect_unix(dir.socket()).unwrap();
    client.get("/").unwrap();
    answered(&mut client);
    drop(client);
    second.signal(Signal::TERM);
    clean(&second);
}

#[test]
fn the_file_of_a_killed_process_does_not_keep_the_next_from_starting() {
    let dir = Dir::new("killed");
    let first = start(&dir.socket(), "5s");
    first.signal(Signal::KILL);
    assert_eq!(first.wait_exit(SECOND).signal, Some(9));
    assert!(dir.socket().exists());
    let second = start(&dir.socket(), "5s");
    let mut client = Client::connect_unix(dir.socket()).unwrap();
    client.get("/").unwrap();
    answered(&mut client);
    assert!(second.runs());
}
