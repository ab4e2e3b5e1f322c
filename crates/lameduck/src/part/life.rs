//! How far a part has come: the same for sources, workers and resources.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Identity;
use crate::report::{PartReport, PartState, Stuck, StuckKind};

/// How far a part has come. Its lock is held for a few instructions only, and never while foreign code runs,
/// so the supervisor thread may take it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun: Option<Instant>,
    told: Option<Instant>,
    abandoned: bool,
    ended: Option<Ended>,
}

impl State {
    fn state(&self) -> PartState {
        match &self.ended {
            Some(ended) if !self.abandoned || ended.state != PartState::Done => ended.state,
            Some(_) | None if self.abandoned => PartState::Abandoned,
            Some(_) | None if self.told.is_some() => PartState::Finishing,
            Some(_) | None if self.begun.is_some() => PartState::Running,
            Some(_) | None => PartState::Starting,
        }
    }
}

#[derive(Debug)]
struct Ended {
    state: PartState,
    detail: Option<String>,
    took: Option<Duration>,
}

impl Life {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is at work from now on.
    pub(crate) fn begin(&self) {
        self.lock().begun.get_or_insert_with(Instant::now);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.lock().begun.is_some()
    }

    /// It was told to end.
    pub(crate) fn tell(&self) {
        self.lock().told.get_or_insert_with(Instant::now);
    }

    /// It has ended. Only the first end counts.
    pub(crate) fn end(&self, state: PartState, detail: Option<String>) {
        let mut life = self.lock();
        let took = life.told.map(|told| told.elapsed());
        life.ended.get_or_insert(Ended { state, detail, took });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// It was left behind at its deadline: how the report names it.
    pub(crate) fn abandon(&self, identity: &Identity, kind: StuckKind, doing: &str) -> Stuck {
        let mut life = self.lock();
        life.abandoned = true;
        Stuck::new(
            kind,
            identity.name.clone(),
            identity.place.to_string(),
            life.told.or(life.begun).map(|at| at.elapsed()).unwrap_or_default(),
            doing.to_owned(),
        )
    }

    /// How the report names it, if it was left behind at a deadline of its own, before the tier's.
    pub(crate) fn overdue(&self, identity: &Identity, kind: StuckKind) -> Option<Stuck> {
        let life = self.lock();
        let ended = life.ended.as_ref()?;
        (ended.state == PartState::Abandoned && !life.abandoned).then(|| {
            Stuck::new(
                kind,
                identity.name.clone(),
                identity.place.to_string(),
                ended.took.unwrap_or_default(),
                ended.detail.clone().unwrap_or_default(),
            )
        })
    }

    /// How far it has come.
    pub(crate) fn state(&self) -> PartState {
        self.lock().state()
    }

    /// Since it began.
    #[cfg(feature = "admin")]
    pub(crate) fn age(&self) -> Option<Duration> {
        self.lock().begun.map(|at| at.elapsed())
    }

    /// Its line in the report.
    pub(crate) fn report(&self, identity: &Identity, detail: Option<String>) -> PartReport {
        let life = self.lock();
        let ended = life.ended.as_ref();
        let state = life.state();
        PartReport {
            name: identity.name.clone(),
            tier: identity.tier.name(),
            place: identity.place.to_string(),
            state,
            took: ended.and_then(|ended| ended.took),
            detail: ended.and_then(|ended| ended.detail.clone()).or(detail),
            may_have_lost: false,
        }
    }
}
