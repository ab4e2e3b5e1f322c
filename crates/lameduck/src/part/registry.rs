//! The parts of one service as they are declared. Shared between the setup, which adds to it, and the
//! supervisor thread, which must be able to close what was registered even while the setup is stuck.

use std::sync::{Arc, Mutex, PoisonError};

use super::Part;

/// One declared part.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) part: Arc<dyn Part>,
    pub(crate) uses: Vec<PartId>,
}

/// Names a part within its service. Public only so that a sealed trait may mention it; nobody outside can
/// reach it.
#[derive(Clone)]
pub struct PartId {
    registry: Arc<Registry>,
    index: usize,
}

impl std::fmt::Debug for PartId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartId({})", self.index)
    }
}

impl PartId {
    /// The index of the part, if it belongs to that registry.
    pub(crate) fn index_in(&self, registry: &Arc<Registry>) -> Option<usize> {
        Arc::ptr_eq(&self.registry, registry).then_some(self.index)
    }

    /// Notes that this part uses another.
    pub(crate) fn uses(&self, used: &PartId) {
        let mut entries = self.registry.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(self.index) {
            entry.uses.push(used.clone());
        }
    }

    /// The name of the part.
    pub(crate) fn name(&self) -> String {
        let entries = self.registry.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(self.index).map(|entry| entry.part.identity().name.clone()).unwrap_or_default()
    }
}

/// The parts of one service.
#[derive(Default)]
pub(crate) struct Registry {
    entries: Mutex<Vec<Entry>>,
}

impl Registry {
    pub(crate) fn add(self: &Arc<Self>, part: Arc<dyn Part>) -> PartId {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(Entry { part, uses: Vec::new() });
        PartId { registry: Arc::clone(self), index: entries.len() - 1 }
    }

    /// The parts declared so far. A part's index never changes.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the parts: each holds its [`PartId`]s and these hold the registry.
    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
