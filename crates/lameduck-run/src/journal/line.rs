//! One thing that is told.

use serde_json::{Map, Value};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// All is as it should be.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// One thing that is told. The keys of its JSON are stable; the text is not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    level: Level,
    event: &'static str,
    details: Map<String, Value>,
    text: String,
}

impl Line {
    pub(crate) fn new(level: Level, event: &'static str, text: impl Into<String>) -> Self {
        Self { level, event, details: Map::new(), text: text.into() }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        format!("lameduck run: {}\n", self.text)
    }

    /// For programs.
    pub(super) fn json(&self, time: &str) -> String {
        let level = match self.level {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let mut object = Map::new();
        object.insert("time".to_owned(), time.into());
        object.insert("level".to_owned(), level.into());
        object.insert("event".to_owned(), self.event.into());
        object.extend(self.details.clone());
        object.insert("message".to_owned(), self.text.clone().into());
        format!("{}\n", Value::Object(object))
    }
}
