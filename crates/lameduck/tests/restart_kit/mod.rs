//! What the tests of the restart share: a service that is restarted, whatever process it is by then.

use std::cell::Cell;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lameduck_testkit::{
    Client, Response, Server, ServerCommand, Signal, eventually, example, free_port,
};
use rustix::process::{Pid, kill_process};
use serde_json::Value;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// How long anything may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a successor of Python says and hears messages.
pub(crate) const PYTHON: &str = r#"import os, socket, sys, time
from struct import pack, unpack
words = os.environ["LAMEDUCK_PREDECESSOR"].split()
s = socket.socket(fileno=int(words[1].split("=")[1]))
s.setblocking(True)
def say(kind, body=b""):
    s.send(b"ld" + bytes([kind]) + body)
def expect(kind):
    while True:
        message = s.recv(200000)
        if not message: os._exit(9)
        if message[2] == kind: return message
def take():
    message, fds, _, _ = socket.recv_fds(s, 200000, 64)
    assert message[2] == 16, message
    say(17, message[3:7] + pack("<H", len(fds)))
    sockets = [socket.socket(fileno=fd) for fd in fds]
    for one in sockets: one.setblocking(True)
    return sockets
# They come in one message or in several, as the tasks that hold them wake.
def take_all(count):
    sockets = []
    while len(sockets) < count: sockets += take()
    return sockets
def serve():
    listener = socket.socket(fileno=int(words[2].split("=")[1].split(",")[0]))
    listener.setblocking(True)
    while True:
        client = listener.accept()[0]
        client.setblocking(True)
        client.recv(1000)
        client.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        client.close()
"#;

/// How to start it.
pub(crate) struct Command {
    words: Vec<String>,
    env: Vec<(String, String)>,
    /// What lies at the program's path once it runs.
    script: Option<String>,
    user: Option<u32>,
    admin: Option<SocketAddr>,
}

/// The fixture, which drains for 3 s, without a lame duck.
pub(crate) fn target() -> Command {
    Command { words: Vec::new(), env: Vec::new(), script: None, user: None, admin: None }
}

impl Command {
    pub(crate) fn word(mut self, word: &str) -> Command {
        self.words.push(word.to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Command {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A successor runs this in a shell, where `$FIXTURE` is the real program.
    pub(crate) fn program_that(mut self, script: &str) -> Command {
        self.script = Some(script.to_owned());
        self
    }

    pub(crate) fn user(mut self, id: u32) -> Command {
        self.user = Some(id);
        self
    }

    pub(crate) fn admin(mut self) -> Command {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        self.admin = Some(admin);
        self.env("LAMEDUCK_ADMIN", &admin.to_string())
    }

    /// Starts it, and waits until it serves.
    #[track_caller]
    pub(crate) fn start(self) -> Target {
        let folder = Folder::new(self.user);
        let program = folder.0.join("service");
        fs::copy(example("fixture"), &program).expect("a copy of the fixture");
        let real = folder.0.join("fixture");
        fs::hard_link(&program, &real).expect("the same file");
        let mut command: ServerCommand =
            Server::command(&program).port().env("FIXTURE", &real).cwd(&folder.0);
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        for word in &self.words {
            command = command.arg(word);
        }
        if let Some(user) = self.user {
            command = command.user(user);
        }
        let server = command.arg("http").start();
        server.wait_for_stderr("accepting on", PATIENCE);
        if let Some(script) = &self.script {
            fs::remove_file(&program).expect("removed");
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        }
        let pid = Cell::new(server.pid());
        Target { server, program, pid, admin: self.admin, _folder: folder }
    }
}

/// A folder for a program, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(user: Option<u32>) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Everybody can pass through /tmp, and not through every folder that a runner makes for temporary files.
        let place = if user.is_some() { PathBuf::from("/tmp") } else { std::env::temp_dir() };
        let path = place.join(format!("lameduck-restart-{}-{count}", std::process::id()));
        fs::create_dir(&path).expect("a folder");
        if let Some(user) = user {
            chown(&path, Some(user), Some(user)).expect("root may give it away");
        }
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The service, whatever process it is by now.
pub(crate) struct Target {
    server: Server,
    program: PathBuf,
    pid: Cell<u32>,
    admin: Option<SocketAddr>,
    _folder: Folder,
}

impl Target {
    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("an admin listener")
    }

    /// The process that is the service now.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.get()
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.addr()).expect("it listens")
    }

    pub(crate) fn log(&self) -> String {
        self.server.transcript()
    }

    pub(crate) fn stdout(&self) -> String {
        self.server.stdout()
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    pub(crate) fn remove_program(&self) {
        fs::remove_file(&self.program).expect("removed");
    }

    /// How many lines of the log hold this.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.server.stderr().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until that many lines of the log hold this.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, count: usize) {
        let seen = eventually(PATIENCE, || self.count(text) >= count);
        assert!(seen, "not seen {count} times: {text:?}\n{}", self.log());
    }

    #[track_caller]
    pub(crate) fn wait_for_stdout(&self, text: &str) {
        self.server.wait_for_stdout(text, PATIENCE);
    }

    /// The successor that was started last.
    #[track_caller]
    pub(crate) fn successor(&self) -> u32 {
        const SAID: &str = "the successor is process ";
        let stderr = self.server.stderr();
        let line = stderr.lines().rfind(|line| line.contains(SAID)).expect("a successor");
        let rest = &line[line.find(SAID).expect("as seen") + SAID.len()..];
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("an id")
    }

    /// The successor is the service from now on.
    pub(crate) fn adopt_successor(&self) {
        self.pid.set(self.successor());
    }

    /// Restarts it by SIGUSR2, and waits until the successor serves. Its process id.
    #[track_caller]
    pub(crate) fn restart(&self) -> u32 {
        let before = self.count("serving, in the place of the predecessor");
        self.signal(Signal::USR2);
        self.wait_for("serving, in the place of the predecessor", before + 1);
        self.adopt_successor();
        self.pid()
    }

    #[track_caller]
    pub(crate) fn wait_for_end_of(&self, pid: u32) {
        assert!(eventually(PATIENCE, || !is_alive(pid)), "{pid} lives on\n{}", self.log());
    }

    /// The report that a process has written.
    #[track_caller]
    pub(crate) fn report_of(&self, pid: u32) -> Value {
        let found = || {
            let stderr = self.server.stderr();
            let reports =
                stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            reports.into_iter().find(|report| report["pid"] == pid)
        };
        assert!(eventually(PATIENCE, || found().is_some()), "no report of {pid}\n{}", self.log());
        found().expect("as seen")
    }

    /// Waits for the end of the service, with this code in its report.
    #[track_caller]
    pub(crate) fn exit(&self, code: i32) -> Value {
        self.wait_for_end_of(self.pid());
        let report = self.report_of(self.pid());
        assert_eq!(report["exit_code"], code, "{}", self.log());
        report
    }

    /// Stops it by SIGTERM, which must be clean.
    #[track_caller]
    pub(crate) fn stop(&self) -> Value {
        self.signal(Signal::TERM);
        self.exit(0)
    }
}

#[track_caller]
pub(crate) fn kill(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("a process that this test has started");
}

/// Whether the process runs; one that nobody has waited for yet does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    let state = stat.ok().and_then(|stat| stat.rsplit(") ").next()?.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// A connection on which one request was answered.
#[track_caller]
pub(crate) fn idle(addr: SocketAddr) -> Client {
    let mut client = Client::connect(addr).expect("it listens");
    client.get("/").expect("sent");
    assert!(!answered(&mut client).says_close());
    client
}

/// A connection whose request takes that many milliseconds.
#[track_caller]
pub(crate) fn sleeper(addr: SocketAddr, ms: u64) -> Client {
    let mut client = Client::connect(addr).expect("it listens");
    client.get(&format!("/sleep?ms={ms}")).expect("sent");
    client
}

/// Reads a whole 200.
#[track_caller]
pub(crate) fn answered(client: &mut Client) -> Response {
    let response = client.read_response().unwrap_or_else(|failure| panic!("no answer: {failure}"));
    assert_eq!(response.status, 200, "{response:?}");
    response
}

/// One request on a connection of its own.
#[track_caller]
pub(crate) fn get(addr: SocketAddr, path: &str) -> Response {
    let mut client = Client::connect(addr).expect("it listens");
    client.get(path).expect("sent");
    client.read_response().unwrap_or_else(|failure| panic!("no answer: {failure}"))
}
