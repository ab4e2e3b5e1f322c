//! The guard of one request: whatever happens to its future or its response's body, dropping this ends it in
//! the record.

use std::sync::Arc;

use crate::connections::{Ending, Record};

/// One request in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    record: Arc<Record>,
    key: u32,
    ending: Ending,
    armed: bool,
}

impl InFlight {
    /// A request that has begun. Until it is told otherwise, it ends as given up.
    #[inline]
    pub(super) fn new(record: Arc<Record>, key: u32) -> InFlight {
        InFlight { record, key, ending: Ending::Gone, armed: true }
    }

    #[inline]
    pub(super) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    #[inline]
    pub(super) fn key(&self) -> u32 {
        self.key
    }

    /// Whether the time of the request is over.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.record.is_over(self.key)
    }

    /// How it will have ended when this drops.
    #[inline]
    pub(super) fn will_end(&mut self, ending: Ending) {
        self.ending = ending;
    }

    /// Its response is out whole, unless something else is known of it.
    pub(super) fn ends_whole(&mut self) {
        if self.ending == Ending::Gone {
            self.ending = Ending::Completed;
        }
    }

    /// Takes note of a panic in what serves the request.
    pub(super) fn note_panic(&self, what: &str, message: &str) {
        note_panic(&self.record, self.key, what, message);
    }

    /// The request was dropped in the middle: by us at a deadline, else because the client went away.
    #[cold]
    fn gave_up(&self) {
        if self.key == 0 && std::thread::panicking() {
            // The connection, which catches the panic, answers and ends it, or cuts it.
            return;
        }
        let ending = if self.is_over() { Ending::Cut } else { Ending::Gone };
        self.record.end(self.key, ending);
    }

    /// The request goes on as an upgraded connection: its record ends with that.
    pub(super) fn upgraded(mut self) {
        self.armed = false;
    }
}

impl Drop for InFlight {
    #[inline]
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        match self.ending {
            Ending::Gone => self.gave_up(),
            ending @ (Ending::Completed
            | Ending::Answered503
            | Ending::Interrupted
            | Ending::Cut) => self.record.end(self.key, ending),
        }
    }
}

/// Takes note of a panic in what serves a request.
pub(super) fn note_panic(record: &Record, key: u32, what: &str, message: &str) {
    let name = record.name_of(key);
    tracing::error!(target: "lameduck", "the {what} of {name} panicked: {message}");
    record.server().shared().note_panic(format!("{what} of {name}: {message}"));
}
