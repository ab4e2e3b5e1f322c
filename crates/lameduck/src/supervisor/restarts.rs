//! What the supervisor is given for restarts.

use std::sync::Arc;

use crate::restart::{Listening, Plan, Successor};

/// What a service that can be restarted, or was started by a restart, gives its supervisor.
pub(crate) struct Restarts {
    /// How to start a successor.
    pub(crate) plan: Plan,
    /// The sockets that a successor would get.
    pub(crate) listening: Arc<Listening>,
    /// What comes from a predecessor.
    pub(crate) predecessor: Option<Successor>,
}
