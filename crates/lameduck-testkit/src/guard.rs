//! Ends a server's processes when the test process is gone without having dropped it (Ctrl-C, SIGKILL, an abort).
//!
//! A shell waits for a line on a pipe whose other end we hold. A line says that all is well; the end of the stream
//! says that we died, and it kills the group. It sits in a group of its own, so that Ctrl-C doesn't reach it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn of_group(group: u32) -> std::io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", r#"read -r line || kill -s KILL -- "-$1""#, "guard", &group.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
