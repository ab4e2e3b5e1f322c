//! Stopping a service from outside of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Message, Shared};

/// Begins the stop of a service from anywhere: what [`Service::serve`](crate::Service::serve) takes, since it
/// installs no signal handlers.
///
/// Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct StopHandle {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    service: Option<Arc<Shared>>,
    asked: Option<String>,
}

impl StopHandle {
    /// A handle that no service listens to yet.
    #[must_use]
    pub fn new() -> StopHandle {
        StopHandle::default()
    }

    /// Begins the stop, for this reason; the report shows it. Before the service starts it is kept and ends
    /// the start; later calls change nothing.
    pub fn stop(&self, reason: impl Into<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.asked.is_some() {
            return;
        }
        let reason = reason.into();
        state.asked = Some(reason.clone());
        if let Some(service) = &state.service {
            service.events().send(Message::Stop { reason });
        }
    }

    /// Whether [`StopHandle::stop`] was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.is_some()
    }

    /// Joins the handle to a service. Says whether the stop had been asked for before.
    pub(crate) fn attach(&self, service: &Arc<Shared>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = state.asked.clone() {
            service.events().send(Message::Stop { reason });
        }
        state.service = Some(Arc::clone(service));
    }

    /// Lets go of the service.
    pub(crate) fn detach(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).service = None;
    }
}
