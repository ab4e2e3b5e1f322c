//! The handle through which handlers and tasks see the life of their service, and the state behind it that
//! every part shares. Nothing here knows HTTP, tasks or resources.

mod blocking;
mod blockings;
mod current;
mod events;
mod scope;
mod shared;
mod shield;
mod shields;
mod stop;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

pub use self::blocking::{Blocking, BlockingError};
pub(crate) use self::blockings::Blockings;
#[cfg(feature = "http1")]
pub(crate) use self::current::Entered;
pub(crate) use self::current::{Within, begin_worker, park};
#[cfg(feature = "restart")]
pub(crate) use self::events::HandOver;
pub(crate) use self::events::{Events, Inbox, Message};
pub(crate) use self::scope::{Scope, ServiceScope};
pub(crate) use self::shared::{Reload, Shared};
pub use self::shield::{ShieldError, Shielded};
pub(crate) use self::shields::Shields;
pub use self::stop::StopHandle;
use crate::phase::Phase;
use crate::threads::Runs;

/// A handle to the life of the service that the caller belongs to: of the request it handles, the worker it
/// is, or the service as a whole.
///
/// In an axum handler take it as an argument (feature `axum`); anywhere else on a task of the service ask
/// [`Lifecycle::try_current`]. It is cheap to clone and keeps nothing alive that the stop waits for.
#[derive(Clone)]
pub struct Lifecycle {
    scope: Arc<dyn Scope>,
    /// Which request of a connection; without meaning for other scopes.
    key: u32,
}

impl Lifecycle {
    pub(crate) fn new(scope: Arc<dyn Scope>, key: u32) -> Lifecycle {
        Lifecycle { scope, key }
    }

    /// The handle of the request, worker or shield that runs here. `None` outside of a service: on a task
    /// that was spawned without it, or in a thread of one's own. Clone the handle into those.
    #[must_use]
    pub fn try_current() -> Option<Lifecycle> {
        current::current()
    }

    /// The phase, now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.scope.shared().phase()
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        self.scope.shared().name()
    }

    /// Resolves once the stop has begun: with the lame duck, or with the drain where that is skipped; at once if it
    /// already has. For what tells others to go elsewhere (a health service of one's own, an entry in a registry)
    /// while the service still serves as before.
    ///
    /// Cancel safe.
    pub async fn stopping(&self) {
        self.scope.shared().stopping.cancelled().await;
    }

    /// Whether the stop has begun.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.scope.shared().stopping.is_cancelled()
    }

    /// Resolves once the service is draining: at once if it already is. A WebSocket handler says its Close
    /// 1001 then; a long poll answers with what it has; an event stream ends.
    ///
    /// Cancel safe.
    pub async fn draining(&self) {
        self.scope.shared().draining().cancelled().await;
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.scope.shared().draining().is_cancelled()
    }

    /// Resolves when the time of the caller is over: a request's at the drain deadline, a worker's or
    /// shield's at the finish deadline. An async handler is dropped then anyway; this is for what it began
    /// elsewhere, such as a blocking thread that can look at [`Lifecycle::is_cancelled`].
    ///
    /// Cancel safe.
    pub async fn cancelled(&self) {
        self.scope.over().cancelled().await;
    }

    /// Whether the time of the caller is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.scope.over().is_cancelled()
    }

    /// When the time of the caller will be over: known once the stop has begun.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = self.scope.shared().deadlines()?;
        Some(self.scope.deadline(&deadlines))
    }

    /// Runs a piece of work to its end, even when the caller is cancelled or its client hangs up: charge the
    /// wallet, then record the item. It begins at once, on a task of its own, whether or not the returned
    /// handle is awaited. The stop waits for it, and cancels it only at the finish deadline; then the report
    /// names it with the line that called this.
    ///
    /// Two have less: one begun in a setup whose start is given up is cancelled then, and named; one begun while the
    /// resources close has until the close deadline, and only a resource's close that awaits it waits for it.
    ///
    /// # Panics
    /// Never by itself; a panic of the work is an [`ShieldError::Panicked`] of the handle.
    #[track_caller]
    pub fn shield<F>(&self, name: impl Into<Cow<'static, str>>, work: F) -> Shielded<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        shield::spawn(self.scope.shared(), name.into(), Location::caller(), work)
    }

    /// Runs work that blocks its thread, on a thread where that harms nobody. It begins at once, whether or not the
    /// returned handle is awaited. Within it [`Lifecycle::try_current`] is the caller's handle: a loop can ask
    /// [`Lifecycle::is_cancelled`], and beat.
    ///
    /// It belongs to its caller: the stop waits for a request's, a timer's and a consumer's until the drain deadline,
    /// for a worker's, a shield's and the service's until the finish deadline. Nothing can end a thread that does not
    /// return: it is then left behind, and the report names it with the line that called this and with what its
    /// thread is doing (state, wait channel, processor time since the signal).
    ///
    /// # Panics
    /// Never by itself; a panic of the work is [`BlockingError::Panicked`] of the handle.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, name: impl Into<Cow<'static, str>>, work: F) -> Blocking<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        blocking::spawn(self.clone(), name.into(), Location::caller(), work)
    }

    /// Says that the task is alive. One that promised to beat (`beats_within`) and does not is hung. Costs one relaxed
    /// store; without meaning outside of a task that [`Setup`](crate::Setup) declared.
    #[inline]
    pub fn beat(&self) {
        self.scope.beat();
    }

    /// Says how far the task is, which is a beat too: `progress(120, 500)`, or a total of 0 where it is not known.
    /// `/tasks` and the metrics show it, and the report where the task stopped. Of a request it becomes the note.
    pub fn progress(&self, done: u64, of: u64) {
        self.scope.progress(self.key, done, of);
    }

    /// Says in a few words what the request or task is doing: the last note is shown where it is stuck, in `/tasks`,
    /// and in the report where a task stopped. Without meaning elsewhere. Do not put secrets in it.
    pub fn note(&self, text: impl Into<String>) {
        self.scope.note(self.key, text.into());
    }

    #[cfg(feature = "axum")]
    pub(crate) fn scope(&self) -> &dyn Scope {
        &*self.scope
    }

    /// What a thread shows that runs this.
    #[inline]
    fn runs(&self) -> Runs {
        Runs::of(Arc::as_ptr(&self.scope), self.key)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn key(&self) -> u32 {
        self.key
    }

    /// Begins the stop of the service, for this reason. Does nothing if it has begun. A lame duck comes
    /// first, as on SIGTERM.
    pub fn stop(&self, reason: impl Into<String>) {
        self.scope.shared().events().send(Message::Stop { reason: reason.into() });
    }

    /// Begins a restart of the service, as SIGUSR2 does: a successor, started by what lies at this program's path by
    /// now, takes over. Where that cannot be, or not now, the log says why, and nothing changes.
    #[cfg(feature = "restart")]
    pub fn restart(&self) {
        self.scope.shared().events().send(Message::Restart);
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("service", &self.service())
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}
