//! A server that restarts itself: processes that follow one another, of which only the first is our child.
//!
//! They share the first one's process group and its streams: so the [`Server`] kills them all at its drop, whichever of
//! them runs by then, and its transcript is theirs.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::pause::{eventually, pause};
use crate::proc::Proc;
use crate::server::Server;

/// A server and those that succeeded it. At any time one of them is the current one: who was current before has ended.
#[derive(Debug)]
pub struct Generations {
    server: Server,
    current: Proc,
    restarts: u32,
}

impl Generations {
    /// The first one.
    #[must_use]
    pub fn of(server: Server) -> Self {
        let current = server.proc();
        Self { server, current, restarts: 0 }
    }

    /// The first one, with all that was printed since.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Who serves, as far as was [waited for](Self::settled).
    #[must_use]
    pub fn current(&self) -> Proc {
        self.current
    }

    /// How many restarts there were.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Sends a signal to the current one, and says when.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<Instant, String> {
        let now = Instant::now();
        self.kill(self.current, signal)?;
        Ok(now)
    }

    /// Sends a signal to one of them.
    ///
    /// # Errors
    /// It has ended.
    pub fn kill(&self, which: Proc, signal: Signal) -> Result<(), String> {
        let pid = i32::try_from(which.pid()).ok().and_then(Pid::from_raw);
        // One that has ended may have left its id to a stranger: it is looked at before.
        match pid.filter(|_| which.runs()) {
            Some(pid) => kill_process(pid, signal).map_err(|error| self.failed(&error.to_string())),
            None => Err(self.failed(&format!("process {} has ended", which.pid()))),
        }
    }

    /// Tells the current one to restart (SIGUSR2) and waits until it has ended and its successor alone is left. How long
    /// that took.
    ///
    /// # Errors
    /// It was not so within the time: with all that was printed.
    pub fn restart(&mut self, within: Duration) -> Result<Duration, String> {
        let at = self.signal(Signal::USR2)?;
        self.settled(within)?;
        Ok(at.elapsed())
    }

    /// Waits until the current one has ended and one other is left, which is then the current one.
    ///
    /// # Errors
    /// It was not so within the time: with all that was printed.
    pub fn settled(&mut self, within: Duration) -> Result<(), String> {
        let old = self.current;
        if !eventually(within, || !old.runs()) {
            return Err(self.failed(&format!("{} still runs after {within:?}", old.pid())));
        }
        match self.server.processes()[..] {
            [next] => {
                self.current = next;
                self.restarts += 1;
                Ok(())
            }
            [] => Err(self.failed(&format!("{} ended without a successor", old.pid()))),
            [..] => Err(self.failed("more than one process is left")),
        }
    }

    /// The successor that the current one has started, once there is one.
    ///
    /// # Errors
    /// There was none within the time: with all that was printed.
    pub fn successor(&self, within: Duration) -> Result<Proc, String> {
        let end = Instant::now() + within;
        loop {
            if let [child, ..] = self.current.children()[..] {
                return Ok(Proc::of(child));
            }
            if Instant::now() >= end {
                return Err(self.failed(&format!("no successor after {within:?}")));
            }
            pause(Duration::from_micros(200));
        }
    }

    /// Stops the current one (SIGTERM) and waits for its end. Gives the reports of all of them, the oldest first.
    ///
    /// # Errors
    /// It did not end within the time, or other processes are left: with all that was printed.
    pub fn stop(&mut self, within: Duration) -> Result<Vec<Value>, String> {
        self.signal(Signal::TERM)?;
        if !eventually(within, || self.server.processes().is_empty()) {
            let left: Vec<u32> = self.server.processes().iter().map(Proc::pid).collect();
            return Err(self.failed(&format!("{left:?} still run after {within:?}")));
        }
        // The last words may still be on their way to us.
        let _ = self.server.wait_exit(Duration::from_secs(1));
        Ok(self.reports())
    }

    /// The reports so far.
    #[must_use]
    pub fn reports(&self) -> Vec<Value> {
        let text = self.server.stderr();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(Value::is_object).collect()
    }

    fn failed(&self, what: &str) -> String {
        let transcript = self.server.transcript();
        let skipped = transcript.len().saturating_sub(SHOWN);
        let start = (skipped..).find(|&at| transcript.is_char_boundary(at)).unwrap_or(skipped);
        let began = if start > 0 { "…" } else { "" };
        format!("after {} restarts: {what}\n{began}{}", self.restarts, &transcript[start..])
    }
}

/// Of a transcript: the end of what hundreds of processes printed.
const SHOWN: usize = 8_000;
