//! A real NATS server with JetStream.

use std::io::{BufRead, Result, Write};
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::dial::{dial, refused, take};
use crate::missing::Missing;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tool::Tool;

/// NATS on a free port of 127.0.0.1, its streams in a directory of its own. Dropping it ends it and removes that.
#[derive(Debug)]
pub struct Nats(Daemon);

impl Nats {
    /// Starts it, and waits until JetStream answers.
    ///
    /// # Errors
    /// It isn't installed.
    ///
    /// # Panics
    /// If it doesn't start: with all that it printed.
    #[track_caller]
    pub fn start() -> std::result::Result<Self, Missing> {
        let program = Tool::Nats.find()?;
        let scratch = Scratch::new();
        let folder = scratch.path().to_owned();
        let command = |addr: SocketAddr| {
            Server::command(program)
                .args(["--addr", "127.0.0.1", "--port"])
                .arg(addr.port().to_string())
                .args(["--jetstream", "--store_dir"])
                .arg(folder)
        };
        let info = |addr| request(addr, "$JS.API.INFO", "").map(drop);
        Ok(Self(Daemon::start(scratch, command, "answer for JetStream", info)))
    }

    /// How a client is told where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.0.addr)
    }

    /// Its process, to be looked at, or to be signalled.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.0.server
    }

    /// Its directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.scratch.path()
    }

    /// Sends a request on a connection of its own; the answer, which has to be JSON. `$JS.API.STREAM.INFO.<stream>`
    /// and `$JS.API.CONSUMER.INFO.<stream>.<consumer>` tell what JetStream holds.
    ///
    /// # Panics
    /// If nobody listens to the subject, or answers within 10 s; if JetStream answers with an error.
    #[track_caller]
    pub fn request(&self, subject: &str, payload: &str) -> Value {
        request(self.0.addr, subject, payload)
            .unwrap_or_else(|error| panic!("NATS: {subject}: {error}"))
    }
}

fn request(addr: SocketAddr, subject: &str, payload: &str) -> Result<Value> {
    const CONNECT: &str =
        r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#;
    const INBOX: &str = "_INBOX.testkit.1";
    let mut stream = dial(addr)?;
    let words = format!(
        "CONNECT {CONNECT}\r\nSUB {INBOX} 1\r\nPUB {subject} {INBOX} {}\r\n{payload}\r\n",
        payload.len()
    );
    stream.get_mut().write_all(words.as_bytes())?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end();
        match line.split(' ').next() {
            Some("INFO" | "+OK") => {}
            Some("PING") => stream.get_mut().write_all(b"PONG\r\n")?,
            Some("MSG") => {
                let length = line.rsplit(' ').next().and_then(|length| length.parse().ok());
                let payload = take(&mut stream, length.ok_or_else(|| refused(line))?)?;
                let answer: Value = serde_json::from_slice(&payload)?;
                return match answer.get("error") {
                    Some(error) => Err(refused(error.to_string())),
                    None => Ok(answer),
                };
            }
            Some("HMSG") => return Err(refused("nobody listens to this subject")),
            _ => return Err(refused(format!("it said {line:?}"))),
        }
    }
}
