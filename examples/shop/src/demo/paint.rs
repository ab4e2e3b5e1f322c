//! Colours, where they are wanted.

use std::io::stdout;

use crate::logging::coloured;

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    colours: bool,
}

impl Paint {
    /// In colour if standard output is a terminal and `NO_COLOR` is not set.
    pub(super) fn for_stdout() -> Self {
        Self { colours: coloured(&stdout()) }
    }

    /// A heading.
    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What is as it should be.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What is not.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What explains.
    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
