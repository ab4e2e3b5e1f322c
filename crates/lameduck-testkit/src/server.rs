//! The program under test, as a real process.
//!
//! 1. It runs in a process group of its own: dropping the [`Server`] kills what it started (a successor) as well.
//! 2. Its end is seen by a thread that waits for nothing else, so its time is exact.
//! 3. It is only reaped on drop: until then its id can belong to nobody else, and a signal can't hit a stranger.
//! 4. It never outlives the test: drop, the lifetime's end, and the death of the test process each kill it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use serde_json::Value;

use crate::command::ServerCommand;
use crate::exit::Exit;
use crate::guard::Guard;
use crate::netns::within_or_here;
use crate::output::Output;
use crate::pause::pause;
use crate::proc::Proc;
use crate::report::last_json_object;
use lameduck_probe::ignored_signals;

/// A started server. Dropping it kills and reaps it, and shows what it printed if the test is panicking.
#[derive(Debug)]
pub struct Server {
    name: String,
    pid: Pid,
    child: Child,
    addr: Option<SocketAddr>,
    netns: Option<String>,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
    end: Arc<End>,
    signalled: Mutex<Option<Instant>>,
    _guard: Guard,
    /// The end that nobody reads of a standard error that is blocked.
    _unread: Option<OwnedFd>,
}

#[derive(Debug, Clone, Copy)]
struct Status {
    code: Option<i32>,
    signal: Option<i32>,
    at: Instant,
}

#[derive(Debug, Default)]
struct End {
    status: Mutex<Option<Status>>,
    seen: Condvar,
}

impl Server {
    /// How to start `program`; [`ServerCommand::start`] does.
    #[must_use]
    pub fn command(program: impl AsRef<Path>) -> ServerCommand {
        ServerCommand::new(program.as_ref())
    }

    pub(crate) fn spawn(what: &ServerCommand) -> std::io::Result<Self> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(signals) = ignored_signals() {
            words.extend(["/usr/bin/env".into(), format!("--default-signal={signals}").into()]);
        }
        if let Some(limit) = what.descriptors {
            const LIMITED: &str = r#"ulimit -n "$1" && shift && exec "$@""#;
            let limit = limit.to_string();
            words.extend(["/bin/sh", "-c", LIMITED, "sh", &limit].map(OsString::from));
        }
        words.push(what.program.clone().into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.args(&what.args).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("LAMEDUCK_")
                || name.starts_with("LISTEN_")
                || name == "NOTIFY_SOCKET"
                || name == "PORT"
            {
                command.env_remove(&key);
            }
        }
        command.envs(&what.env);
        if let Some(dir) = &what.cwd {
            command.current_dir(dir);
        }
        if let Some(id) = what.user {
            command.gid(id).uid(id);
        }
        let unread = if what.stderr_blocked {
            let (read, write) = full_pipe()?;
            command.stderr(write);
            Some(read)
        } else {
            command.stderr(Stdio::piped());
            None
        };

        let mut child = within_or_here(what.netns.as_deref(), || spawn_when_closed(&mut command))?;
        let pid = Pid::from_child(&child);
        let guard = Guard::of_group(child.id()).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        let end = Arc::new(End::default());
        watch_end(pid, &end);
        watch_lifetime(pid, &end, what.lifetime);
        Ok(Self {
            name: what.program.display().to_string(),
            pid,
            addr: what.addr,
            netns: what.netns.clone(),
            stdout: child.stdout.take().map_or_else(Output::none, Output::collect),
            stderr: child.stderr.take().map_or_else(Output::none, Output::collect),
            child,
            end,
            signalled: Mutex::new(None),
            _guard: guard,
            _unread: unread,
        })
    }

    /// Where it listens.
    ///
    /// # Panics
    /// If the command was given neither a port nor an address.
    #[must_use]
    #[track_caller]
    pub fn addr(&self) -> SocketAddr {
        self.addr.expect("a server with an address: say .port() or .addr(..) before .start()")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What `/proc` says about it.
    #[must_use]
    pub fn proc(&self) -> Proc {
        Proc::of(self.pid())
    }

    /// The processes of its group that run, the oldest first: itself, what it started, and what that started, also when
    /// it is itself gone.
    #[must_use]
    pub fn processes(&self) -> Vec<Proc> {
        Proc::of_group(self.pid())
    }

    /// Waits until its address takes connections, 20 s at most.
    ///
    /// # Panics
    /// If it doesn't, or ends before: with all that it printed.
    #[track_caller]
    pub fn ready(&self) -> &Self {
        self.ready_at(self.addr())
    }

    /// Waits until `addr` takes connections, 20 s at most; looks from the server's own network namespace.
    ///
    /// # Panics
    /// If it doesn't, or the server ends before: with all that it printed.
    #[track_caller]
    pub fn ready_at(&self, addr: SocketAddr) -> &Self {
        self.ready_when(&format!("listen on {addr}"), || {
            TcpStream::connect_timeout(&addr, Duration::from_secs(1)).map(drop)
        })
    }

    /// Waits until `ask` gets its answer, 20 s at most; asks from the server's own network namespace. `what` is what
    /// the server should do, for the message.
    ///
    /// # Panics
    /// If it doesn't, or the server ends before: with all that it printed.
    #[track_caller]
    pub(crate) fn ready_when(
        &self,
        what: &str,
        mut ask: impl FnMut() -> std::io::Result<()> + Send,
    ) -> &Self {
        let end = Instant::now() + Duration::from_secs(20);
        let verdict = within_or_here(self.netns.as_deref(), || {
            loop {
                match ask() {
                    Ok(()) => return Ok(()),
                    Err(_) if self.status().is_some() => return Err("it ended".to_owned()),
                    Err(error) if Instant::now() > end => {
                        return Err(format!("after 20 s: {error}"));
                    }
                    Err(_) => pause(Duration::from_millis(5)),
                }
            }
        });
        if let Err(why) = verdict {
            // What it printed last may still be on its way to us.
            for output in [&self.stdout, &self.stderr] {
                output.wait_for_end(Duration::from_millis(250));
            }
            panic!("{} does not {what}: {why}\n{}", self.name, self.transcript());
        }
        self
    }

    /// Waits until it has printed `text` on standard error; the instant at which that was seen.
    ///
    /// # Panics
    /// If it doesn't within the time: with all that it printed.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str, within: Duration) -> Instant {
        self.wait_for(&self.stderr, "standard error", text, within)
    }

    /// Waits until it has printed `text` on standard output; the instant at which that was seen.
    ///
    /// # Panics
    /// If it doesn't within the time: with all that it printed.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str, within: Duration) -> Instant {
        self.wait_for(&self.stdout, "standard output", text, within)
    }

    /// What it printed on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What it printed on standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Sends a signal to the process alone, and says when. To one that has ended nothing happens.
    ///
    /// # Panics
    /// If it can't be sent.
    #[track_caller]
    pub fn signal(&self, signal: Signal) -> Instant {
        let now = Instant::now();
        self.signalled.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
        kill_process(self.pid, signal).expect("a child may be signalled");
        now
    }

    /// When the first signal was sent.
    ///
    /// # Panics
    /// If none was.
    #[must_use]
    #[track_caller]
    pub fn signal_time(&self) -> Instant {
        self.signalled.lock().unwrap_or_else(PoisonError::into_inner).expect("a signal was sent")
    }

    /// True until it has ended.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.status().is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it doesn't end within the time: with all that it printed.
    #[must_use]
    #[track_caller]
    pub fn wait_exit(&self, within: Duration) -> Exit {
        let Some(Status { code, signal, at }) = self.wait_status(within) else {
            panic!("{} still runs after {within:?}\n{}", self.name, self.transcript());
        };
        // A successor may hold the streams for longer; what its predecessor wrote is in the pipe already.
        for output in [&self.stdout, &self.stderr] {
            output.wait_for_end(Duration::from_millis(250));
        }
        Exit { code, signal, at, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// lameduck's report: the last line of standard error so far that is a JSON object.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn report(&self) -> Value {
        last_json_object(&self.stderr()).unwrap_or_else(|| {
            panic!("{} printed no line of JSON on standard error\n{}", self.name, self.transcript())
        })
    }

    /// All that it printed and how it stands, for a message.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut text = format!("--- {} (pid {}): ", self.name, self.pid());
        let _ = match self.status() {
            None => writeln!(text, "runs"),
            Some(Status { code: Some(code), .. }) => writeln!(text, "exited with code {code}"),
            Some(Status { signal, .. }) => {
                writeln!(text, "killed by signal {}", signal.unwrap_or_default())
            }
        };
        for (name, output) in [("standard output", &self.stdout), ("standard error", &self.stderr)]
        {
            let _ = writeln!(text, "--- {name}:\n{}", output.text().trim_end());
        }
        text.push_str("---");
        text
    }

    #[track_caller]
    fn wait_for(&self, output: &Output, stream: &str, text: &str, within: Duration) -> Instant {
        output.wait_for(text, within).unwrap_or_else(|| {
            panic!(
                "{} did not print {text:?} on {stream} within {within:?}\n{}",
                self.name,
                self.transcript()
            )
        })
    }

    fn status(&self) -> Option<Status> {
        *self.end.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_status(&self, within: Duration) -> Option<Status> {
        self.end.wait(within)
    }
}

impl End {
    fn wait(&self, within: Duration) -> Option<Status> {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        *self
            .seen
            .wait_timeout_while(status, within, |status| status.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.transcript());
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.wait_status(Duration::from_secs(5));
        let _ = self.child.wait();
    }
}

/// Waits for the end without reaping (rule 3 above).
fn watch_end(pid: Pid, end: &Arc<End>) {
    let end = Arc::clone(end);
    thread::spawn(move || {
        let (code, signal) = loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) => break (status.exit_status(), status.terminating_signal()),
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break (None, None),
            }
        };
        let at = Instant::now();
        *end.status.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Status { code, signal, at });
        end.seen.notify_all();
    });
}

fn watch_lifetime(pid: Pid, end: &Arc<End>, limit: Duration) {
    let end = Arc::clone(end);
    thread::spawn(move || {
        if end.wait(limit).is_none() {
            eprintln!("pid {} lived longer than {limit:?} and is killed", pid.as_raw_nonzero());
            let _ = kill_process_group(pid, Signal::KILL);
        }
    });
}

/// A program that was copied just now may still be open for writing in a child that another thread is starting: until
/// that child has its own program, ours can't be run (ETXTBSY).
fn spawn_when_closed(command: &mut Command) -> std::io::Result<Child> {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == std::io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < end =>
            {
                pause(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// A pipe that holds all it can; its writing end blocks whoever writes one byte more.
fn full_pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::pipe::{PipeFlags, pipe_with};

    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let block = [b'.'; 4096];
    while rustix::io::write(&write, &block).is_ok() {}
    fcntl_setfl(&write, fcntl_getfl(&write)? - OFlags::NONBLOCK)?;
    Ok((read, write))
}
