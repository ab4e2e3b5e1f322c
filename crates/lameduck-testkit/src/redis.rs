//! A real Redis.

use std::io::{BufRead, Result, Write};
use std::net::SocketAddr;
use std::path::Path;

use crate::daemon::Daemon;
use crate::dial::{dial, refused, take};
use crate::missing::Missing;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tool::Tool;

/// Redis on a free port of 127.0.0.1; it keeps nothing on disk. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub struct Redis(Daemon);

impl Redis {
    /// Starts it, and waits until it answers PING.
    ///
    /// # Errors
    /// It isn't installed.
    ///
    /// # Panics
    /// If it doesn't start: with all that it printed.
    #[track_caller]
    pub fn start() -> std::result::Result<Self, Missing> {
        let program = Tool::Redis.find()?;
        let scratch = Scratch::new();
        let folder = scratch.path().to_owned();
        let command = |addr: SocketAddr| {
            Server::command(program)
                .args(["--bind", "127.0.0.1", "--port"])
                .arg(addr.port().to_string())
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(folder)
        };
        let ping = |addr| match ask(addr, &["PING"])? {
            Some(answer) if answer == "PONG" => Ok(()),
            other => Err(refused(format!("it answered {other:?}"))),
        };
        Ok(Self(Daemon::start(scratch, command, "answer PING", ping)))
    }

    /// How a client is told where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.0.addr)
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

    /// Gives it one command on a connection of its own; the answer as text, `None` for nil. Not for commands that
    /// answer with an array.
    ///
    /// # Panics
    /// If it answers with an error, or not within 10 s.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> Option<String> {
        ask(self.0.addr, words).unwrap_or_else(|error| panic!("Redis: {words:?}: {error}"))
    }
}

fn ask(addr: SocketAddr, words: &[&str]) -> Result<Option<String>> {
    let mut stream = dial(addr)?;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command += &format!("${}\r\n{word}\r\n", word.len());
    }
    stream.get_mut().write_all(command.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", value)) => Ok(Some(value.to_owned())),
        Some(("$", "-1")) => Ok(None),
        Some(("$", length)) => {
            let length = length.parse().map_err(|_| refused(line))?;
            Ok(Some(String::from_utf8_lossy(&take(&mut stream, length)?).into_owned()))
        }
        _ => Err(refused(line)),
    }
}
