//! Tidies up when the test process is gone without having dropped what it made (Ctrl-C, SIGKILL, an abort): ends a
//! server's processes, removes a directory.
//!
//! A shell waits for a line on a pipe whose other end we hold. A line says that all is well; the end of the stream
//! says that we died, and it acts. It sits in a group of its own, so that Ctrl-C doesn't reach it.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Kills a process group.
    pub(crate) fn of_group(group: u32) -> std::io::Result<Self> {
        Self::start(r#"kill -s KILL -- "-$1""#, OsStr::new(&group.to_string()))
    }

    /// Removes a directory. Those who write into it are being killed by then, but perhaps not gone: it tries again,
    /// for 5 s.
    pub(crate) fn of_directory(path: &Path) -> std::io::Result<Self> {
        const REMOVE: &str = r#"{
            n=0
            until sleep 0.1 && rm -rf -- "$1" || [ "$n" -ge 50 ]; do n=$((n + 1)); done
        }"#;
        Self::start(REMOVE, path.as_os_str())
    }

    /// `what` is a command of the shell, in which `$1` is `of`.
    fn start(what: &str, of: &OsStr) -> std::io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", &format!("read -r line || {what}"), "guard"])
            .arg(of)
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
