//! What to start, and with what it is told its port.

use std::ffi::OsString;
use std::process::Command;

use crate::ignored::ignored_signals;

/// The command line of the server under test, and its readiness URL. In both, `{port}` is the port to listen on, and
/// `{port2}` another free one (for an admin listener, say).
#[derive(Debug, Clone)]
pub struct ServerCommand {
    words: Vec<String>,
    ready: Option<String>,
}

impl ServerCommand {
    /// `words` is the program and its arguments; `None` if there is no program.
    #[must_use]
    pub fn new(words: Vec<String>, ready: Option<String>) -> Option<Self> {
        words.first().is_some_and(|program| !program.is_empty()).then_some(Self { words, ready })
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The whole command line, for a person.
    #[must_use]
    pub fn line(&self) -> String {
        self.words.join(" ")
    }

    /// Whether several can run side by side and be asked for their readiness: its URL then names no fixed port.
    #[must_use]
    pub fn runs_side_by_side(&self) -> bool {
        self.ready.as_ref().is_none_or(|url| url.contains("{port}") || url.contains("{port2}"))
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.ready.is_some()
    }

    pub(super) fn build(&self, port: u16, second: u16) -> (Command, Option<String>) {
        let fill = |text: &str| {
            text.replace("{port}", &port.to_string()).replace("{port2}", &second.to_string())
        };
        let mut words: Vec<OsString> = Vec::new();
        if let Some(signals) = ignored_signals() {
            // A shell starts background jobs with SIGINT and SIGQUIT ignored, and children inherit that.
            words.extend(["/usr/bin/env".into(), format!("--default-signal={signals}").into()]);
        }
        words.extend(self.words.iter().map(|word| fill(word).into()));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("PORT", port.to_string());
        // A supervisor of the probe's own is none of the server's business.
        for name in ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "NOTIFY_SOCKET"] {
            command.env_remove(name);
        }
        (command, self.ready.as_deref().map(fill))
    }
}
