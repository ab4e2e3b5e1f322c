//! A datagram socket in the place of a service manager: it records the notify protocol.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lameduck_testkit::ServerCommand;

const PATIENCE: Duration = Duration::from_secs(10);

/// The socket that a manager would listen on.
pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    pub(crate) fn new(name: &str) -> Manager {
        let path = std::env::temp_dir().join(format!("lameduck-{name}-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        Manager { socket, path }
    }

    pub(crate) fn of(&self, command: ServerCommand) -> ServerCommand {
        command.env("NOTIFY_SOCKET", &self.path)
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next datagram within this time.
    pub(crate) fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    /// All that has come, up to one that holds this line.
    #[track_caller]
    pub(crate) fn until(&self, line: &str) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let Some(next) = self.next(PATIENCE) else { panic!("no {line} among {all:?}") };
            let found = next.lines().any(|have| have == line);
            all.push(next);
            if found {
                return all;
            }
        }
    }

    /// All that has come and is not read yet.
    pub(crate) fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.next(Duration::from_millis(50))).collect()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
