//! A child: a process that has the sockets, or will.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::Pid;

use crate::machine::ChildId;
use crate::notify::{Heard, NOTIFY_SOCKET, NotifySocket};
use crate::probe::Probe;
use crate::settings::Settings;
use crate::sockets::{Copies, Sockets};
use crate::step::{PARENT, STEP};

/// A child, from its start until it is reaped.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) id: ChildId,
    pub(crate) pid: Pid,
    pub(crate) started: Instant,
    pub(crate) notify: NotifySocket,
    pub(crate) probe: Option<Probe>,
    /// What stood in the way of executing its command.
    pub(crate) not_executed: Option<io::Error>,
}

/// Who else could answer for a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// It is the only child.
    Alone,
    /// Another child serves on the same sockets.
    Serves,
}

/// systemd's protocol: descriptors begin here.
const FIRST: RawFd = 3;

/// How many messages are taken before anything else has its turn: anybody on this machine may send.
const TURN: usize = 32;

/// Names of our own manager's, and of another parent's, that must not reach a child.
const FOREIGN: [&str; 8] = [
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LAMEDUCK_LISTENERS_EXCLUSIVE",
    "LAMEDUCK_LISTENERS_HELD",
];

impl Child {
    /// Starts it, with copies of the sockets.
    pub(crate) fn start(
        settings: &Settings,
        id: ChildId,
        sockets: &Sockets,
        other: Other,
    ) -> io::Result<Self> {
        let notify = NotifySocket::new(id.0)?;
        let port = match &settings.url {
            Some(url) if url.wants_port() => Some(free_port()?),
            _ => None,
        };
        // Not the path of this program: another version may lie there by now.
        let mut command = Command::new("/proc/self/exe");
        command.arg(STEP).args(settings.command.iter().map(|word| filled(word, port)));
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.env(PARENT, std::process::id().to_string());
        command.env(NOTIFY_SOCKET, notify.variable());
        if let Some(copies) = sockets.copies()? {
            give(&mut command, copies, sockets.names())?;
        }
        // A Ctrl-C reaches us alone, so that our copies of the sockets are closed before the child hears of it.
        command.process_group(0);
        let child = command.spawn()?;
        let (pid, started) = (Pid::from_child(&child), Instant::now());
        let who = (other == Other::Serves).then(|| pid.as_raw_nonzero().get());
        let probe = settings.url.as_ref().map(|url| {
            let port = port.unwrap_or(1);
            Probe::new(url, port, who, started).map_err(io::Error::other)
        });
        let probe = probe.transpose()?;
        Ok(Self { id, pid, started, notify, probe, not_executed: None })
    }

    /// What it has said since the last call, up to so many messages: whether it said that it is ready, and who spoke for it
    /// without the right to.
    pub(crate) fn hear(&mut self) -> (bool, Vec<i32>) {
        let (mut ready, mut strangers) = (false, Vec::new());
        for _ in 0..TURN {
            let Some(heard) = self.notify.hear(self.pid) else { break };
            match heard {
                Heard::Message(message) => {
                    ready |= message.ready;
                    let error = message.not_executed.map(io::Error::from_raw_os_error);
                    self.not_executed = error.or(self.not_executed.take());
                }
                Heard::Stranger(pid) if !strangers.contains(&pid) => strangers.push(pid),
                Heard::Stranger(_) => {}
            }
        }
        (ready, strangers)
    }
}

/// Puts the sockets at 3 and following, and behind them the pipe that tells whether the child holds them alone.
fn give(command: &mut Command, copies: Copies, names: &[String]) -> io::Result<()> {
    let descriptors = copies.sockets.into_iter().chain([copies.held]);
    let mappings: Vec<FdMapping> = (FIRST..)
        .zip(descriptors)
        .map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd })
        .collect();
    let count = mappings.len() - 1;
    command
        .env("LISTEN_FDS", count.to_string())
        .env("LISTEN_FDNAMES", names.join(":"))
        .env("LAMEDUCK_LISTENERS_EXCLUSIVE", "1")
        .env("LAMEDUCK_LISTENERS_HELD", (FIRST..).nth(count).unwrap_or(FIRST).to_string());
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    Ok(())
}

/// The word with the child's port in it.
fn filled(word: &OsString, port: Option<u16>) -> OsString {
    match (word.to_str(), port) {
        (Some(text), Some(port)) => text.replace("{port}", &port.to_string()).into(),
        _ => word.clone(),
    }
}

/// A port of this machine on which nobody listens right now.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
