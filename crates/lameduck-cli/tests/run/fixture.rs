//! A server whose faults a test chooses anew for each of its generations, run by `lameduck run`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lameduck_testkit::{Client, Server, ServerCommand, Signal, eventually, free_port};
use serde_json::Value;

pub(crate) const LAMEDUCK: &str = env!("CARGO_BIN_EXE_lameduck");
pub(crate) const PYTHON: &str = "/usr/bin/python3";
/// Longer than anything takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// `lameduck run` with a server behind it.
pub(crate) struct Run {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    script: Script,
}

/// A program that can be replaced on the disk.
pub(crate) struct Script(PathBuf);

impl Script {
    /// One that runs the server with these faults.
    pub(crate) fn new(faults: &str) -> Self {
        let script = Self(file("server.sh"));
        script.write(faults);
        script
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, faults: &str) {
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run/server.py");
        self.write_shell(&format!("exec {PYTHON} {} {faults}", server.display()));
    }

    pub(crate) fn write_shell(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A path of this test alone.
pub(crate) fn file(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("run-{}-{number}-{name}", std::process::id()))
}

/// `lameduck run` with these words.
pub(crate) fn run<'a>(words: impl IntoIterator<Item = &'a str>) -> ServerCommand {
    Server::command(LAMEDUCK).arg("run").args(words)
}

impl Run {
    /// With these options, and a first server with these faults. Waits until that is ready.
    pub(crate) fn start(options: &[&str], faults: &str) -> Self {
        Self::start_as(|command| command.args(options), faults)
    }

    pub(crate) fn start_as(how: impl FnOnce(ServerCommand) -> ServerCommand, faults: &str) -> Self {
        let run = Self::begin(how, faults);
        run.wait_for("child 1 (pid");
        run.wait_for("is ready after");
        run
    }

    /// The same, without waiting.
    pub(crate) fn begin(how: impl FnOnce(ServerCommand) -> ServerCommand, faults: &str) -> Self {
        let addr: SocketAddr = ([127, 0, 0, 1], free_port()).into();
        let script = Script::new(faults);
        let command = how(run(["--listen", &format!("http={addr}")]));
        let command = command.args(["--", "/bin/sh"]).arg(script.path());
        let server = command.addr(addr).lifetime(Duration::from_secs(60)).start();
        Self { server, addr, script }
    }

    /// The faults of the servers that are started from now on.
    pub(crate) fn next(&self, faults: &str) -> &Self {
        self.script.write(faults);
        self
    }

    /// The script of the servers that are started from now on.
    pub(crate) fn script(&self) -> &Script {
        &self.script
    }

    pub(crate) fn signal(&self, signal: Signal) -> &Self {
        self.server.signal(signal);
        self
    }

    /// Waits until `text` is on standard error.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> &Self {
        self.server.wait_for_stderr(text, LONG);
        self
    }

    /// The line of standard error with this text.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) -> String {
        let stderr = self.server.stderr();
        let line = stderr.lines().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no {text:?}\n{}", self.server.transcript())).to_owned()
    }

    /// The process id of the server that answers.
    #[track_caller]
    pub(crate) fn answering(&self) -> u32 {
        ask(self.addr)
    }

    /// What the servers told on standard output, once there are so many such lines with this key.
    #[track_caller]
    pub(crate) fn told(&self, key: &str, count: usize) -> Vec<Value> {
        let lines = || -> Vec<Value> {
            let stdout = self.server.stdout();
            let values = stdout.lines().filter_map(|line| serde_json::from_str(line).ok());
            values.filter(|value: &Value| value.get(key).is_some()).collect()
        };
        let there = eventually(LONG, || lines().len() >= count);
        assert!(there, "not {count} of {key:?}\n{}", self.server.transcript());
        lines()
    }

    /// Waits for the end; its code.
    #[track_caller]
    pub(crate) fn code(&self) -> Option<i32> {
        self.server.wait_exit(LONG).code
    }
}

/// The process id of the server that answers there.
#[track_caller]
pub(crate) fn ask(addr: SocketAddr) -> u32 {
    let mut client = Client::connect(addr).unwrap();
    client.get("/").unwrap();
    client.read_response().unwrap().text().parse().unwrap()
}

/// The process id in a line's key.
#[track_caller]
pub(crate) fn number(value: &Value, key: &str) -> u32 {
    value[key]
        .as_u64()
        .and_then(|number| number.try_into().ok())
        .unwrap_or_else(|| panic!("{value}"))
}

/// Whether somebody has the process id, be it as a zombie.
pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}
