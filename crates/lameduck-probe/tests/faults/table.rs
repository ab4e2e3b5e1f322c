//! Which fault each case finds, and as what.

use lameduck_probe::Verdict;

use crate::fault::Fault;

/// The verdict that is wanted, without its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Lost,
    Cut,
    Hung,
    Late,
    Odd,
}

impl Want {
    pub(crate) fn is(self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Lost { .. } => self == Self::Lost,
            Verdict::Cut => self == Self::Cut,
            Verdict::Hung => self == Self::Hung,
            Verdict::Late { .. } => self == Self::Late,
            Verdict::Odd => self == Self::Odd,
            Verdict::Pass | Verdict::Skipped | Verdict::CouldNotRun => false,
        }
    }
}

pub(crate) const FAULTS: &[(&str, Fault, Want)] = &[
    ("exit/sigterm", Fault::IgnoresTerm, Want::Hung),
    ("exit/sigterm", Fault::SleepsFirst, Want::Late),
    ("exit/sigterm", Fault::ExitsWith3, Want::Odd),
    ("exit/sigint", Fault::IgnoresInt, Want::Hung),
    ("exit/sigquit", Fault::DumpsCore, Want::Odd),
    ("exit/served", Fault::LeavesSomething, Want::Late),
    ("exit/starting", Fault::DeafAtStart, Want::Hung),
    ("in-flight/request", Fault::ExitsAtOnce, Want::Lost),
    ("in-flight/many", Fault::DropsSome, Want::Lost),
    ("in-flight/prompt", Fault::SleepsFirst, Want::Late),
    ("in-flight/close", Fault::SaysNoClose, Want::Odd),
    ("in-flight/upload", Fault::DropsUploads, Want::Lost),
    ("in-flight/stream", Fault::BreaksStreams, Want::Cut),
    ("in-flight/slow-reader", Fault::ForgetsWrites, Want::Cut),
    ("in-flight/continue", Fault::DropsUploads, Want::Lost),
    ("in-flight/slow-handler", Fault::GivesUpEarly, Want::Odd),
    ("in-flight/unread-upload", Fault::ResetsUploads, Want::Odd),
    ("in-flight/broken-off", Fault::FallsWithAClient, Want::Lost),
    ("in-flight/broken-off", Fault::KeepsTheGone, Want::Odd),
    ("idle/keep-alive", Fault::WaitsForIdle, Want::Hung),
    ("idle/keep-alive", Fault::ExitsWith3, Want::Odd),
    ("idle/hundred", Fault::ResetsIdle, Want::Odd),
    ("idle/thousands", Fault::ClosesIdleSlowly, Want::Late),
    ("idle/silent", Fault::WaitsForSilent, Want::Hung),
    ("idle/late-request", Fault::ClosesIdleAtOnce, Want::Lost),
    ("idle/first-request", Fault::ClosesIdleAtOnce, Want::Lost),
    ("head/completed", Fault::DropsHalfHeads, Want::Lost),
    ("head/never-completed", Fault::WaitsForHeads, Want::Hung),
    ("head/slow-writer", Fault::WaitsForHeads, Want::Hung),
    ("pipeline/behind-in-flight", Fault::SaysNoClose, Want::Lost),
    ("load/keep-alive", Fault::DropsAccepted, Want::Lost),
    ("load/keep-alive-far", Fault::ClosesIdleAtOnce, Want::Lost),
    ("load/handlers-far", Fault::ClosesIdleAtOnce, Want::Lost),
    ("load/fresh", Fault::DropsAccepted, Want::Lost),
    ("load/fresh-far", Fault::ClosesIdleAtOnce, Want::Lost),
    ("new/accounted", Fault::LeavesListener, Want::Lost),
    ("new/listener-closes", Fault::LeavesListener, Want::Late),
    ("stuck/exit", Fault::NoDeadline, Want::Hung),
    ("stuck/exit", Fault::AbortsAtDeadline, Want::Odd),
    ("stuck/get-told", Fault::CutsAtDeadline, Want::Lost),
    ("stuck/post-not-invited", Fault::InvitesAll, Want::Odd),
    ("stuck/exit-code", Fault::ExitsWith0, Want::Odd),
    ("stuck/others", Fault::ExitsAtOnce, Want::Lost),
    ("stuck/stream", Fault::EndsStreams, Want::Odd),
    ("stuck/upload", Fault::NoDeadline, Want::Hung),
    ("stuck/reader", Fault::NoDeadline, Want::Hung),
    ("stuck/blocked-thread", Fault::NoDeadline, Want::Hung),
    ("stuck/starved", Fault::NoDeadline, Want::Hung),
    ("signals/second-interrupt", Fault::DeafAfterFirst, Want::Late),
    ("signals/repeated-stop", Fault::SecondKills, Want::Lost),
    ("signals/storm", Fault::SecondKills, Want::Lost),
    ("http2/streams", Fault::ExitsAtOnce, Want::Lost),
    ("http2/goaway", Fault::NoGoAway, Want::Odd),
    ("http2/goaway-twice", Fault::OneGoAway, Want::Odd),
    ("http2/late-stream", Fault::DropsLateStreams, Want::Lost),
    ("http2/idle", Fault::NoGoAway, Want::Odd),
    ("http2/no-settings", Fault::WaitsForHttp2, Want::Hung),
    ("http2/no-pong", Fault::NoDeadline, Want::Hung),
    ("http2/stuck-told", Fault::CutsAtDeadline, Want::Lost),
    ("websocket/goodbye", Fault::CutsWebSockets, Want::Odd),
    ("websocket/prompt", Fault::ForgetsWebSockets, Want::Late),
    ("websocket/ignored", Fault::NoDeadline, Want::Hung),
    ("readiness/turns-first", Fault::AlwaysReady, Want::Odd),
    ("readiness/until-the-end", Fault::ReadinessDies, Want::Odd),
];
