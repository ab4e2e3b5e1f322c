//! The server under test, as a real process.
//!
//! 1. It runs in a process group of its own, and that group is killed and reaped when the [`Server`] is dropped: at
//!    the end of a case, on an error, on a panic, and when the probe itself is told to stop. A [`guard`] does so
//!    when the probe is killed.
//! 2. Its end is seen by a thread that waits for nothing else, so its time is exact. It is reaped only on drop: until
//!    then its id can belong to nobody else, and a signal can't hit a stranger.
//! 3. What it prints is read for ever, so that it can't block on it; only the end is kept.
//! 4. Nothing connects to it but the cases: whether it still listens is asked of the kernel by a bind.

mod command;
mod elsewhere;
mod error;
mod guard;
mod output;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use self::command::ServerCommand;
pub use self::error::StartError;
use self::guard::Guard;
use self::output::Output;
use crate::client::get_status;
use crate::port::free_port;
use crate::record::{Exit, Process};
use crate::tape::Tape;

/// How often is looked whether it listens, while it starts and while it stops.
const LOOK: Duration = Duration::from_millis(2);
/// From when on it is looked where else it may listen.
const ELSEWHERE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy)]
struct Status {
    code: Option<i32>,
    signal: Option<i32>,
    at: Instant,
}

/// A started server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: Pid,
    addr: SocketAddr,
    ready_url: Option<String>,
    output: Arc<Output>,
    tape: Tape,
    end: watch::Receiver<Option<Status>>,
    seen: Arc<Mutex<Process>>,
    watching: JoinSet<()>,
    guard: Option<Guard>,
}

impl Server {
    /// Starts it, and waits until it is ready, for `limit` at most.
    ///
    /// # Errors
    /// A [`StartError`] that says in one line what is wrong and what to do.
    pub async fn start(
        command: &ServerCommand,
        tape: &Tape,
        limit: Duration,
    ) -> Result<Self, StartError> {
        let mut server = Self::spawn(command, tape)?;
        match server.wait_ready(limit).await {
            Ok(()) => Ok(server),
            Err(error) => Err(error),
        }
    }

    /// Starts it, and waits for nothing.
    ///
    /// # Errors
    /// [`StartError::NotFound`] and [`StartError::CannotRun`].
    pub fn spawn(command: &ServerCommand, tape: &Tape) -> Result<Self, StartError> {
        let (Some(port), Some(second)) = (free_port(), free_port()) else {
            return Err(StartError::NoPort);
        };
        let (mut process, ready_url) = command.build(port, second);
        let (reader, writer) =
            std::io::pipe().map_err(|error| StartError::cannot_run(command, &error))?;
        let other = writer.try_clone().map_err(|error| StartError::cannot_run(command, &error))?;
        process.stdin(Stdio::null()).stdout(other).stderr(writer).process_group(0);
        let started = tape.now();
        let child = process.spawn().map_err(|error| StartError::cannot_run(command, &error))?;
        // It holds the writing ends of the pipe.
        drop(process);
        let pid = Pid::from_child(&child);
        let seen = Process {
            started,
            ready: None,
            signals: Vec::new(),
            listener_closed: None,
            exit: None,
            watched_until: started,
            output: String::new(),
        };
        Ok(Self {
            child,
            pid,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            ready_url,
            output: Output::collect(reader),
            tape: tape.clone(),
            end: watch_end(pid),
            seen: Arc::new(Mutex::new(seen)),
            watching: JoinSet::new(),
            guard: Some(Guard::of(pid)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its readiness URL with its port in it, if the user named one.
    #[must_use]
    pub fn ready_url(&self) -> Option<&str> {
        self.ready_url.as_deref()
    }

    /// True until it has ended.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.end.borrow().is_none()
    }

    /// Sends a signal to the process alone, as a supervisor does. From the first one on its listener is watched.
    pub fn signal(&mut self, signal: Signal) {
        self.tape.signal();
        let at = self.tape.now();
        // One that has ended and is not reaped takes it without effect.
        let _ = kill_process(self.pid, signal);
        let first = {
            let mut seen = self.seen();
            seen.signals.push((signal.as_raw(), at));
            seen.signals.len() == 1
        };
        if first {
            let (addr, seen, tape) = (self.addr, Arc::clone(&self.seen), self.tape.clone());
            self.watching.spawn(async move {
                while listens(addr) {
                    sleep(LOOK).await;
                }
                let at = tape.now();
                seen.lock().unwrap_or_else(PoisonError::into_inner).listener_closed = Some(at);
            });
        }
    }

    /// Waits until nobody listens on its port any more, for `limit` at most.
    pub async fn listener_closed(&self, limit: Duration) {
        let closed = async {
            while self.seen().listener_closed.is_none() && self.runs() {
                sleep(LOOK).await;
            }
        };
        let _ = timeout(limit, closed).await;
    }

    /// Waits for its end, for `limit` at most; true if it came.
    pub async fn wait_exit(&mut self, limit: Duration) -> bool {
        timeout(limit, self.end.wait_for(Option::is_some)).await.is_ok()
    }

    /// Kills it if it still runs, and puts all that was seen of it on the tape.
    pub fn finish(self) {
        let status = *self.end.borrow();
        let mut process = self.seen().clone();
        process.exit =
            status.map(|Status { code, signal, at }| Exit { at: self.tape.at(at), code, signal });
        process.watched_until = self.tape.now();
        process.output = self.output.text();
        self.tape.process(process);
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Process> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_ready(&mut self, limit: Duration) -> Result<(), StartError> {
        let begun = Instant::now();
        let mut said = None;
        let mut next_search = ELSEWHERE;
        loop {
            if let Some(Status { code, signal, .. }) = *self.end.borrow() {
                // What it printed last may still be on its way to us.
                self.output.wait_for_end(Duration::from_millis(200));
                return Err(StartError::Ended { code, signal, output: self.output.excerpt() });
            }
            let mut listens_here = false;
            if let Some(addr) = self.answers().await {
                self.addr = addr;
                listens_here = true;
                let Some(url) = &self.ready_url else { break };
                said = get_status(url, Duration::from_secs(1)).await;
                if said == Some(200) {
                    break;
                }
            }
            let waited = begun.elapsed();
            if waited >= next_search && !listens_here {
                next_search = waited + Duration::from_secs(1);
                let asked = self.addr.port();
                if let Some(port) = elsewhere::port(self.pid.as_raw_nonzero().get(), asked) {
                    return Err(StartError::Elsewhere { port, asked });
                }
            }
            if waited >= limit {
                let (output, limit) = (self.output.excerpt(), limit.as_secs());
                return Err(match &self.ready_url {
                    Some(url) if listens_here => {
                        StartError::NotReady { url: url.clone(), status: said, limit, output }
                    }
                    _ => StartError::NeverListened { port: self.addr.port(), limit, output },
                });
            }
            sleep(LOOK * 5).await;
        }
        self.seen().ready = Some(self.tape.now());
        Ok(())
    }

    /// Where it takes a connection: some servers bind `localhost` to IPv6 only.
    async fn answers(&self) -> Option<SocketAddr> {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let addr = SocketAddr::new(ip, self.addr.port());
            if let Ok(Ok(_)) = timeout(Duration::from_secs(1), TcpStream::connect(addr)).await {
                return Some(addr);
            }
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.take());
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Whether anybody listens there: as long nobody else can be bound to it. No connection is made.
fn listens(addr: SocketAddr) -> bool {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    // Short of descriptors nothing is known; the next look may tell.
    let Ok(socket) = socket else { return true };
    let _ = socket.set_reuseaddr(true);
    socket.bind(addr).is_err()
}

/// Waits for the end without reaping, on a thread of its own.
fn watch_end(pid: Pid) -> watch::Receiver<Option<Status>> {
    let (tell, end) = watch::channel(None);
    thread::spawn(move || {
        let (code, signal) = loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) => break (status.exit_status(), status.terminating_signal()),
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break (None, None),
            }
        };
        tell.send_replace(Some(Status { code, signal, at: Instant::now() }));
    });
    end
}
