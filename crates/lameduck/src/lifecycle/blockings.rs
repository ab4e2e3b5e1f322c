//! The blocking work that runs now.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use slab::Slab;

#[cfg(feature = "admin")]
use crate::part::TaskView;
use crate::part::Tier;
#[cfg(feature = "admin")]
use crate::report::PartState;
use crate::report::{Stuck, StuckKind};

/// One piece of blocking work.
#[derive(Debug)]
struct Running {
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    since: Instant,
    /// The tier with which its time is over.
    tier: Tier,
    /// Who started it.
    owner: Option<String>,
    /// The kernel's number of its thread, once it has one.
    thread: Option<i32>,
}

/// The blocking work of a service. A lock is taken when a piece begins and when it ends.
#[derive(Debug, Default)]
pub(crate) struct Blockings {
    running: Mutex<Slab<Running>>,
}

impl Blockings {
    fn lock(&self) -> std::sync::MutexGuard<'_, Slab<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(
        &self,
        name: Cow<'static, str>,
        place: &'static Location<'static>,
        tier: Tier,
        owner: Option<String>,
    ) -> usize {
        let since = Instant::now();
        self.lock().insert(Running { name, place, since, tier, owner, thread: None })
    }

    /// It has got a thread.
    pub(crate) fn runs_on(&self, key: usize, thread: i32) {
        if let Some(running) = self.lock().get_mut(key) {
            running.thread = Some(thread);
        }
    }

    /// Ends one. Says whether it was the last of its tier.
    pub(crate) fn end(&self, key: usize, tier: Tier) -> bool {
        let mut running = self.lock();
        drop(running.try_remove(key));
        running.iter().all(|(_, other)| other.tier != tier)
    }

    /// Whether none of a tier runs.
    pub(crate) fn is_empty(&self, tier: Tier) -> bool {
        self.lock().iter().all(|(_, running)| running.tier != tier)
    }

    /// What still runs of a tier, as the report names it.
    pub(crate) fn stuck(&self, tier: Tier) -> Vec<Stuck> {
        let running = self.lock();
        let of_tier = running.iter().filter(|(_, work)| work.tier == tier);
        of_tier
            .map(|(_, work)| {
                let doing = match (&work.owner, work.thread) {
                    (Some(owner), Some(_)) => format!("started by {owner}"),
                    (Some(owner), None) => format!("started by {owner}, waits for a thread"),
                    (None, Some(_)) => "running".to_owned(),
                    (None, None) => "waits for a thread".to_owned(),
                };
                let (name, place) = (work.name.to_string(), work.place.to_string());
                let stuck =
                    Stuck::new(StuckKind::Blocking, name, place, work.since.elapsed(), doing);
                stuck.on(work.thread)
            })
            .collect()
    }

    /// What runs of a tier, for `/tasks`.
    #[cfg(feature = "admin")]
    pub(crate) fn views(&self, tier: Tier) -> Vec<TaskView> {
        let running = self.lock();
        let of_tier = running.iter().filter(|(_, work)| work.tier == tier);
        of_tier
            .map(|(_, work)| {
                let state = match work.thread {
                    Some(_) => PartState::Running,
                    None => PartState::Starting,
                };
                let mut view = TaskView::new(&work.name, "blocking", work.place, state);
                view.age = Some(work.since.elapsed());
                view.busy = view.age;
                view.note = work.owner.as_ref().map(|owner| format!("started by {owner}"));
                view
            })
            .collect()
    }
}
