//! What the machine says is to be done.

use super::{Phase, StopSignal};

/// One thing to do now. The supervisor thread carries actions out in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Publish the phase and begin what it asks for: start the parts (`Ready`), stop the sources
    /// (`Draining`), end the workers (`Finishing`), close the resources (`Closing`), write the report
    /// and end (`Stopped`).
    Enter(Phase),
    /// Drop the setup that is still running.
    AbandonStart,
    /// From now on HTTP/1.1 responses say `Connection: close`, though the lame duck goes on.
    SayGoodbye,
    /// The drain deadline: cancel handlers, answer 503 or cut.
    CutSources,
    /// Whoever should have answered at the deadline has not: the supervisor answers itself.
    AnswerLate,
    /// The last moment for an answer has passed: shut every connection that is left.
    Sever,
    /// The finish deadline: cancel shields and abandon workers.
    AbandonWorkers,
    /// The close deadline: abandon resources that have not closed.
    AbandonResources,
    /// A second signal: end the process at once.
    ForceExit(StopSignal),
    /// The signal belongs to the stop that is already under way; say so.
    NoteSignal(StopSignal),
    /// SIGHUP changes nothing; say so.
    NoteHangup,
    /// Run the user's reload callback.
    Reload,
    /// Begin a restart.
    #[cfg(feature = "restart")]
    Restart,
    /// A restart is only for a service that is ready; say so.
    #[cfg(feature = "restart")]
    RefuseRestart,
}
