//! What a setup gets for a resource that it declared.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::ResourcePart;
use crate::part::{Declared, PartId, sealed};

/// A resource: derefs to the value, and names it in `uses`.
///
/// Clones are the same resource. Holding one keeps nothing open: it is closed when its turn comes.
pub struct Resource<T> {
    value: T,
    id: PartId,
    part: Arc<ResourcePart>,
}

impl<T> Resource<T> {
    pub(crate) fn new(value: T, id: PartId, part: Arc<ResourcePart>) -> Resource<T> {
        Resource { value, id, part }
    }

    /// Gives its closing less time than the whole close budget. At its end it is left behind and named in the
    /// report, and what it used is closed.
    pub fn close_within(self, time: Duration) -> Resource<T> {
        self.part.limit(time);
        self
    }

    /// Says that this resource uses another one, which so closes after it.
    pub fn uses(self, used: &impl Declared) -> Resource<T> {
        self.id.uses(used.id());
        self
    }
}

impl<T> Declared for Resource<T> {}
impl<T> sealed::Sealed for Resource<T> {
    fn id(&self) -> &PartId {
        &self.id
    }
}

impl<T> Deref for Resource<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> Clone for Resource<T> {
    fn clone(&self) -> Resource<T> {
        Resource { value: self.value.clone(), id: self.id.clone(), part: Arc::clone(&self.part) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Resource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resource").field(&self.value).finish()
    }
}
