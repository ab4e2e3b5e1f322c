//! A shop as a child process.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;

use super::Failure;
use super::client::Client;
use super::free_port::free_address;
use super::outcome::Outcome;

/// How long a start may take.
const START: Duration = Duration::from_secs(20);
/// How long a stop may take: lameduck's whole budget and a little.
const STOP: Duration = Duration::from_secs(35);
/// How long it goes on accepting once it was told to stop.
const LAME_DUCK: &str = "1s";

/// A running shop. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct ShopProcess {
    child: Child,
    pub(super) address: SocketAddr,
    log: JoinSet<Vec<String>>,
}

/// How a shop ended, and all that it wrote to standard error.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) log: Vec<String>,
}

impl ShopProcess {
    /// Starts this very program on a free port and the database in `folder`, and waits until it answers.
    pub(super) async fn start(folder: &Path) -> Result<Self, Failure> {
        let address = free_address()?;
        let mut child = Command::new(std::env::current_exe()?)
            .env("SHOP_ADDR", address.to_string())
            .env("DATABASE_URL", database_url(folder))
            .env("LAMEDUCK_LAME_DUCK", LAME_DUCK)
            .env_remove("NATS_URL")
            .env_remove("PAYMENT_URL")
            .env_remove("LAMEDUCK_ADMIN")
            .env_remove("LAMEDUCK_REPORT")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut log = JoinSet::new();
        if let Some(stderr) = child.stderr.take() {
            log.spawn(lines(stderr));
        }
        let mut shop = Self { child, address, log };
        match tokio::time::timeout(START, shop.ready()).await {
            Ok(Ok(())) => Ok(shop),
            Ok(Err(status)) => {
                let log = shop.written().await.join("\n  ");
                Err(format!("the shop did not start ({}); it wrote:\n  {log}", Status(status))
                    .into())
            }
            Err(_) => {
                Err(format!("the shop did not answer on {address} within {} s", START.as_secs())
                    .into())
            }
        }
    }

    /// Waits until it answers, or has ended.
    async fn ready(&mut self) -> Result<(), ExitStatus> {
        let mut client = Client::new(self.address);
        while client.ask("GET", "/items", "").await != (Outcome::Answered { status: 200 }) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let ended = || io::Error::other("the shop has ended by itself");
        let id =
            self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or_else(ended)?;
        Ok(rustix::process::kill_process(id, signal)?)
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> Result<Ended, Failure> {
        let Ok(status) = tokio::time::timeout(STOP, self.child.wait()).await else {
            return Err(format!("the shop still ran {} s after the signal", STOP.as_secs()).into());
        };
        Ok(Ended { status: status?, log: self.written().await })
    }

    async fn written(&mut self) -> Vec<String> {
        self.log.join_next().await.and_then(Result::ok).unwrap_or_default()
    }
}

/// The database in that folder.
pub(super) fn database_url(folder: &Path) -> String {
    format!("sqlite:{}?mode=rwc", folder.join("shop.db").display())
}

async fn lines(stderr: ChildStderr) -> Vec<String> {
    let mut lines = BufReader::new(stderr).lines();
    let mut written = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        written.push(line);
    }
    written
}

/// An exit status as a person says it.
pub(super) struct Status(pub(super) ExitStatus);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::process::ExitStatusExt;
        match (self.0.code(), self.0.signal()) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "killed by signal {signal}"),
            (None, None) => write!(f, "{}", self.0),
        }
    }
}
