//! How a server ended.

use std::time::Instant;

use serde_json::Value;

use crate::report::last_json_object;

/// The end of a process: exactly one of `code` and `signal` is there.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// When: taken by a thread that did nothing but wait for it.
    pub at: Instant,
    /// All that it printed on standard output.
    pub stdout: String,
    /// All that it printed on standard error.
    pub stderr: String,
}

impl Exit {
    /// lameduck's report: the last line of standard error that is a JSON object.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn report(&self) -> Value {
        last_json_object(&self.stderr)
            .unwrap_or_else(|| panic!("no line of JSON on standard error:\n{}", self.stderr))
    }
}
