//! What can be closed.

use std::future::Future;

use crate::Error;

/// Something that can be closed: implement it for your own clients, or use
/// [`Setup::resource_with`](crate::Setup::resource_with).
pub trait Close: Clone + Send + Sync + 'static {
    /// Closes it. Called once, when nothing that uses it is left; it has the time that the budget gives.
    fn close(self) -> impl Future<Output = Result<(), Error>> + Send;
}
