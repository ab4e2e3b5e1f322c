//! The shields that run now.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use slab::Slab;

use crate::report::{Stuck, StuckKind};

/// One shield that runs.
#[derive(Debug)]
struct Running {
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    since: Instant,
}

/// The shields of a service. A lock is taken when a shield begins and when it ends.
#[derive(Debug)]
pub(crate) struct Shields {
    running: Mutex<Slab<Running>>,
}

impl Shields {
    pub(crate) fn new() -> Shields {
        Shields { running: Mutex::new(Slab::new()) }
    }

    pub(crate) fn begin(
        &self,
        name: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> usize {
        let running = Running { name, place, since: Instant::now() };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(running)
    }

    /// Ends one. Says whether it was the last.
    pub(crate) fn end(&self, key: usize) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(key);
        running.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What still runs, as the report names it.
    pub(crate) fn stuck(&self) -> Vec<Stuck> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .iter()
            .map(|(_, shield)| Stuck {
                kind: StuckKind::Shield,
                name: shield.name.to_string(),
                place: shield.place.to_string(),
                age: shield.since.elapsed(),
                doing: "running".to_owned(),
            })
            .collect()
    }
}
