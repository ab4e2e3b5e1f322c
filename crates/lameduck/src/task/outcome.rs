//! What a task may return.

use std::fmt;

/// What a task may return: nothing, or a result. An error brings the service down.
pub trait Outcome: Send + 'static {
    /// The error's text, if it is one.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display + Send + 'static> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}
