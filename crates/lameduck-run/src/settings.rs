//! What the user wants.

use std::ffi::OsString;
use std::time::Duration;

use crate::{Listen, Readiness, Url};

/// What `lameduck run` is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The sockets, which every child gets.
    pub listen: Vec<Listen>,
    /// When a child counts as ready.
    pub ready: Readiness,
    /// The URL that says so, with [`Readiness::Answered`].
    pub url: Option<Url>,
    /// How long a child may take to become ready.
    pub ready_within: Duration,
    /// How long a child may take to end, once it was told to.
    pub grace: Duration,
    /// How events are written.
    pub log: Log,
    /// The program and its arguments. `{port}` stands for a free port of the child's own, if it is in the URL too.
    pub command: Vec<OsString>,
}

/// How events are written, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}
