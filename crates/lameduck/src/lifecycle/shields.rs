//! The shields that run now.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use slab::Slab;

#[cfg(feature = "admin")]
use crate::part::TaskView;
#[cfg(feature = "admin")]
use crate::report::PartState;
use crate::report::{Stuck, StuckKind};
use crate::threads::Runs;

/// One shield that runs.
#[derive(Debug)]
struct Running {
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    since: Instant,
    runs: Runs,
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
        runs: Runs,
    ) -> usize {
        let running = Running { name, place, since: Instant::now(), runs };
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
            .map(|(_, shield)| {
                let (name, place) = (shield.name.to_string(), shield.place.to_string());
                let (age, doing) = (shield.since.elapsed(), "running".to_owned());
                Stuck::new(StuckKind::Shield, name, place, age, doing).runs(shield.runs)
            })
            .collect()
    }

    /// What runs, for `/tasks`.
    #[cfg(feature = "admin")]
    pub(crate) fn views(&self) -> Vec<TaskView> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .iter()
            .map(|(_, shield)| {
                let mut view =
                    TaskView::new(&shield.name, "shield", shield.place, PartState::Running);
                view.age = Some(shield.since.elapsed());
                view.busy = view.age;
                view
            })
            .collect()
    }
}
