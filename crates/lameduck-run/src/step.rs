//! The hidden step between `lameduck run` and a child's command.
//!
//! `LISTEN_PID` must be the child's own process id, which is only known in the child. So `lameduck run` starts itself
//! with [`STEP`] as its first argument; that process puts its id into the environment and becomes the command.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, ExitCode};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::notify;

/// The first argument of a process that is such a step. No person writes it.
pub const STEP: &str = "__lameduck-run-step";

/// The process id of `lameduck run`, for this step alone.
pub(crate) const PARENT: &str = "LAMEDUCK_RUN_PARENT";

/// Becomes the command: returns only if that is impossible, and has told `lameduck run` then.
///
/// `words` is the command with its arguments.
#[must_use]
pub fn step(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words = words.into_iter();
    let (Some(program), Some(parent)) = (words.next(), std::env::var(PARENT).ok()) else {
        eprintln!("{STEP} is a part of `lameduck run`, which starts it");
        return ExitCode::from(2);
    };
    // When `lameduck run` is killed the server drains, instead of serving on with nobody to stop it. It survives exec.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    if parent != parent_id().to_string() {
        // Killed before that was said.
        return ExitCode::from(128 + 15);
    }
    let mut command = Command::new(&program);
    command.args(words).env_remove(PARENT);
    if std::env::var_os("LISTEN_FDS").is_some() {
        command.env("LISTEN_PID", std::process::id().to_string());
    }
    let error = command.exec();
    let number = error.raw_os_error().unwrap_or_default();
    notify::say_not_executed(number);
    // As shells have it.
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
}
