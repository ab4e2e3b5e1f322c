//! Sockets that somebody else made: `LISTEN_FDS`, as systemd's own `systemd-socket-activate` and as a process that goes
//! on holding them pass them on.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fixture::{SECOND, ended, get, status};
use lameduck_testkit::{
    Client, NOBODY, Server, ServerCommand, Signal, example, free_port, in_ci, is_root, pause,
};

/// Makes a listening socket and becomes the command, which gets it as `public`. Unless it is to be `alone`, a child
/// holds the socket too, and accepts from it once the command is gone: it answers `held`.
const HOLDER: &str = r#"
import os, socket, sys, time
how, at = sys.argv[1:3]
path = at.startswith("/")
s = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
if not path: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(at if path else ("127.0.0.1", int(at)))
s.listen(512)
me = os.getpid()
if how == "held" and os.fork() == 0:
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2): os.dup2(null, fd)
    while os.getppid() == me: time.sleep(0.005)
    s.settimeout(10)
    while True:
        c, _ = s.accept()
        c.recv(4096)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nheld")
        c.close()
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(me), LISTEN_FDS="1", LISTEN_FDNAMES="public")
os.execv(sys.argv[3], sys.argv[3:])
"#;

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn holder(how: &str, at: &str) -> ServerCommand {
    Server::command("/usr/bin/python3")
        .args(["-c", HOLDER, how, at])
        .arg(example("fixture"))
        .arg("http=127.0.0.1:1")
}

/// systemd's own program with these options, which starts the fixture when somebody connects.
fn activated(options: &[&str]) -> ServerCommand {
    Server::command("/usr/bin/systemd-socket-activate").args(options).arg(example("fixture"))
}

/// The shell with these variables, which becomes the fixture: so that LISTEN_PID is right.
fn said(variables: &str) -> ServerCommand {
    let script = format!("export LISTEN_PID=$$ {variables}; exec \"$0\" quiet http=127.0.0.1:0");
    Server::command("/bin/sh").args(["-c", &script]).arg(example("fixture"))
}

#[track_caller]
fn refused(command: ServerCommand, message: &str) {
    let exit = command.start().wait_exit(10 * SECOND);
    ended(&exit, 1, "failed");
    let line = format!("fixture: error: {message}");
    assert!(exit.stderr.lines().any(|have| have == line), "{message}\n{}", exit.stderr);
}

#[test]
fn systemd_starts_it_and_it_accepts_on_the_sockets_of_its_servers_names() {
    let (public, admin) = (free_port(), free_port());
    let listen = [public, admin].map(|port| format!("--listen=127.0.0.1:{port}"));
    let server = activated(&[
        &listen[0],
        &listen[1],
        "--fdname=public:admin",
        "--setenv=LAMEDUCK_ADMIN=127.0.0.1:1",
    ])
    .arg("http=127.0.0.1:1")
    .start();
    server.wait_for_stderr("Listening on", 10 * SECOND);
    assert_eq!(status(local(public), "/"), Some(200), "{}", server.transcript());
    assert_eq!(status(local(admin), "/readyz"), Some(200));
    // The log is written by a thread of its own.
    for (name, port) in [("public", public), ("admin", admin)] {
        let line = format!("takes over the socket `{name}` on 127.0.0.1:{port}");
        server.wait_for_stderr(&line, 5 * SECOND);
    }
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn a_socket_without_a_name_goes_to_the_only_server() {
    let port = free_port();
    let listen = format!("--listen=127.0.0.1:{port}");
    let server = activated(&[&listen]).arg("http=127.0.0.1:1").start();
    server.wait_for_stderr("Listening on", 10 * SECOND);
    assert_eq!(status(local(port), "/"), Some(200), "{}", server.transcript());
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn what_no_server_uses_is_closed_and_said() {
    let (port, other) = (free_port(), free_port());
    let listen = [port, other].map(|port| format!("--listen=127.0.0.1:{port}"));
    let server =
        activated(&[&listen[0], &listen[1], "--fdname=public:old"]).arg("http=127.0.0.1:1").start();
    server.wait_for_stderr("Listening on", 10 * SECOND);
    assert_eq!(status(local(port), "/"), Some(200), "{}", server.transcript());
    let line =
        format!("the inherited socket `old` on 127.0.0.1:{other} is not used and was closed");
    server.wait_for_stderr(&line, 5 * SECOND);
    assert!(Client::connect(local(other)).is_err(), "it is closed");
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

#[test]
fn what_cannot_be_taken_over_ends_the_start_with_what_would_be_right() {
    refused(
        said("LISTEN_FDS=abc"),
        "LISTEN_FDS is \"abc\", which is no number; set it to how many sockets are passed on, from descriptor 3 on",
    );
    refused(
        said("LISTEN_FDS=1 LISTEN_FDNAMES=a:b"),
        "LISTEN_FDNAMES has 2 names, and LISTEN_FDS says 1; give each socket one name, with a colon between two, or \
         leave LISTEN_FDNAMES away",
    );
    refused(
        said("LISTEN_FDS=1 LISTEN_FDNAMES=public; exec 3</dev/null"),
        "the inherited descriptor 3 (`public`) is no socket; pass on a TCP or Unix stream socket that listens \
         (`ListenStream=` in a socket unit)",
    );
    refused(
        said("LISTEN_FDS=900"),
        "the inherited descriptor 3 was not passed on; pass on as many descriptors, from 3 on, as LISTEN_FDS says, and let \
         nothing but lameduck take them",
    );
    refused(
        said("LISTEN_FDS=0").env("LAMEDUCK_LISTENERS_EXCLUSIVE", "yes"),
        "LAMEDUCK_LISTENERS_EXCLUSIVE is \"yes\", which is neither 0 nor 1; write it like \
         LAMEDUCK_LISTENERS_EXCLUSIVE=1",
    );
}

#[test]
fn a_datagram_socket_ends_the_start() {
    let port = free_port();
    let server = activated(&["--datagram", &format!("--listen=127.0.0.1:{port}")])
        .args(["quiet", "http=127.0.0.1:0"])
        .start();
    server.wait_for_stderr("Listening on", 10 * SECOND);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"x", local(port)).unwrap();
    let exit = server.wait_exit(10 * SECOND);
    ended(&exit, 1, "failed");
    let line = "fixture: error: the inherited descriptor 3 is a datagram socket; pass on a TCP or Unix stream socket \
                that listens (`ListenStream=` in a socket unit)";
    assert!(exit.stderr.lines().any(|have| have == line), "{}", exit.stderr);
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let server = said("LISTEN_FDS=nonsense LISTEN_PID=1").start();
    pause(Duration::from_millis(300));
    server.signal(Signal::TERM);
    ended(&server.wait_exit(10 * SECOND), 0, "clean");
}

/// Stops a service under fresh connections: how many the service and how many the other holder answered.
fn stop_under_load(command: ServerCommand, port: u16) -> (usize, usize, String) {
    let server = command.start();
    server.wait_for_stderr("ready after", 20 * SECOND);
    let over = AtomicBool::new(false);
    let (own, held) = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let (mut own, mut held) = (0, 0);
                    while !over.load(Ordering::Relaxed) {
                        let response = get(local(port), "/").expect("nothing is lost");
                        match response.text().as_ref() {
                            "held" => held += 1,
                            _ => own += 1,
                        }
                    }
                    (own, held)
                })
            })
            .collect();
        pause(Duration::from_millis(300));
        server.signal(Signal::TERM);
        ended(&server.wait_exit(10 * SECOND), 0, "clean");
        pause(Duration::from_millis(300));
        over.store(true, Ordering::Relaxed);
        let counts = clients.into_iter().map(|client| client.join().unwrap());
        counts.fold((0, 0), |(own, held), (o, h)| (own + o, held + h))
    });
    (own, held, server.stderr())
}

#[test]
fn a_stop_loses_nothing_while_somebody_else_holds_the_socket() {
    for _ in 0..3 {
        let port = free_port();
        let (own, held, log) = stop_under_load(holder("held", &port.to_string()), port);
        assert!(own > 0 && held > 0, "{own} by the service, {held} by the holder");
        assert!(log.contains("what comes is for the other process that holds the socket"), "{log}");
        assert!(!log.contains("dropped new connections"), "{log}");
    }
}

#[test]
fn a_stop_loses_nothing_as_an_ordinary_user_too() {
    if !is_root() {
        eprintln!("skipped: needs root, to run the server as somebody else");
        assert!(!in_ci(), "CI runs as root");
        return;
    }
    let port = free_port();
    let command = holder("held", &port.to_string()).user(NOBODY);
    let (own, held, _) = stop_under_load(command, port);
    assert!(own > 0 && held > 0, "{own} by the service, {held} by the holder");
}

#[test]
fn a_socket_that_is_said_to_be_exclusive_is_closed_without_loss() {
    let port = free_port();
    let server =
        holder("alone", &port.to_string()).env("LAMEDUCK_LISTENERS_EXCLUSIVE", "1").start();
    server.wait_for_stderr("ready after", 20 * SECOND);
    assert_eq!(status(local(port), "/"), Some(200));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(10 * SECOND);
    let report = ended(&exit, 0, "clean");
    let detail = fixture::part(&report, "public")["detail"].to_string();
    assert!(detail.contains("dropped new connections until no handshake"), "{detail}");
    assert!(Client::connect(local(port)).is_err(), "nobody listens any more");
}

#[test]
fn the_file_of_a_unix_socket_that_somebody_else_made_stays() {
    for how in ["held", "alone"] {
        let path = std::env::temp_dir().join(format!("lameduck-{how}-{}.sock", std::process::id()));
        let exclusive = if how == "alone" { "1" } else { "0" };
        let server = holder(how, path.to_str().unwrap())
            .env("LAMEDUCK_LISTENERS_EXCLUSIVE", exclusive)
            .start();
        server.wait_for_stderr("ready after", 20 * SECOND);
        let ask = || {
            let mut client = Client::connect_unix(&path)?;
            client.get("/")?;
            client.read_response()
        };
        assert_eq!(ask().map(|response| response.status).unwrap(), 200, "{how}");
        server.signal(Signal::TERM);
        ended(&server.wait_exit(10 * SECOND), 0, "clean");
        assert!(path.exists(), "{how}: the file is not ours");
        if how == "held" {
            assert_eq!(ask().unwrap().text(), "held");
        } else {
            assert!(ask().is_err());
        }
        std::fs::remove_file(&path).unwrap();
    }
}
