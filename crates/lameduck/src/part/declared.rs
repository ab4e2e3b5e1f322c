//! What a setup declares and what `uses` may name.

/// Something that a setup declared: an HTTP server, a worker, a resource. What `uses` takes.
///
/// It cannot be implemented outside of lameduck.
pub trait Declared: sealed::Sealed {}

pub(crate) mod sealed {
    use crate::part::PartId;

    pub trait Sealed {
        #[doc(hidden)]
        fn id(&self) -> &PartId;
    }
}
