//! Who owes an intent's completion.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;

/// One run of one process on this machine, told apart from a later one with the same process id by its start, and
/// from one before a reboot by the boot's id. Written `boot/pid/started`.
///
/// Limit: a process is looked for in this machine's `/proc`. One on another machine, or in another container, counts
/// as dead; its purchases would be completed while it is still at them, which changes no balance and records no item
/// twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    boot: String,
    pid: u32,
    started: u64,
}

/// A text that names no process.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected boot/pid/started")]
pub struct BadIdentity;

impl ProcessIdentity {
    /// This process.
    pub fn current() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// The process that runs under that id now.
    pub fn of(pid: u32) -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let started = running_since(pid)
            .ok_or_else(|| io::Error::other(format!("process {pid} does not run")))?;
        Ok(Self { boot, pid, started })
    }

    /// Whether this very process still runs. One that has ended and waits for its parent to look (a zombie) does not.
    pub fn is_running(&self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == *self)
    }
}

/// When the process started, in clock ticks since the boot; none if it has ended.
fn running_since(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut from_third = after_name.split_ascii_whitespace();
    let state = from_third.next()?;
    let started = from_third.nth(22 - 4)?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(started)
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.boot, self.pid, self.started)
    }
}

impl FromStr for ProcessIdentity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let mut parts = text.split('/');
        let (Some(boot), Some(pid), Some(started), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BadIdentity);
        };
        Ok(Self {
            boot: boot.to_owned(),
            pid: pid.parse().map_err(|_| BadIdentity)?,
            started: started.parse().map_err(|_| BadIdentity)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    use super::*;

    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Self {
            Self(Command::new("sleep").arg("60").spawn().unwrap())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn this_process_runs_and_reads_back() {
        let this = ProcessIdentity::current().unwrap();
        assert!(this.is_running());
        assert_eq!(this.to_string().parse(), Ok(this));
    }

    #[test]
    fn a_process_is_dead_as_soon_as_it_was_killed_even_before_its_parent_looked() {
        let mut sleeper = Sleeper::start();
        let identity = ProcessIdentity::of(sleeper.0.id()).unwrap();
        assert!(identity.is_running());
        sleeper.0.kill().unwrap();
        let limit = Instant::now() + Duration::from_secs(5);
        while identity.is_running() {
            assert!(Instant::now() < limit, "still counted as running 5 s after SIGKILL");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_later_process_with_the_same_id_is_another() {
        let this = ProcessIdentity::current().unwrap();
        let earlier = ProcessIdentity { started: this.started - 1, ..this.clone() };
        let before_the_boot = ProcessIdentity { boot: "another".into(), ..this };
        assert!(!earlier.is_running());
        assert!(!before_the_boot.is_running());
    }

    #[test]
    fn a_text_that_names_no_process_is_refused() {
        assert_eq!("".parse::<ProcessIdentity>(), Err(BadIdentity));
        assert_eq!("boot/1/2/3".parse::<ProcessIdentity>(), Err(BadIdentity));
        assert_eq!("boot/one/2".parse::<ProcessIdentity>(), Err(BadIdentity));
    }
}
