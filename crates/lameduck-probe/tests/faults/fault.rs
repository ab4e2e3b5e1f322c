//! The ways in which the server of these tests can misbehave, one at a time.

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal,)*) => {
        /// One misbehaviour.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$fault => $name,)*
                }
            }

            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$fault),)*
                    _ => None,
                }
            }
        }
    };
}

faults! {
    /// SIGTERM is taken and nothing happens.
    IgnoresTerm = "ignores-sigterm",
    /// SIGINT is taken and nothing happens.
    IgnoresInt = "ignores-sigint",
    /// SIGQUIT does what it does by default.
    DumpsCore = "dumps-core",
    /// Its exit code is 3.
    ExitsWith3 = "exits-with-3",
    /// It exits with 0 although it cut requests.
    ExitsWith0 = "exits-with-0",
    /// It sleeps before it exits.
    SleepsFirst = "sleeps-before-it-exits",
    /// The same, if it ever served a request.
    LeavesSomething = "leaves-something-behind",
    /// Signals in its first 300 ms are swallowed.
    DeafAtStart = "deaf-at-start",
    /// It exits as soon as it is signalled.
    ExitsAtOnce = "exits-at-once",
    /// At the signal it drops one connection in ten.
    DropsSome = "drops-some",
    /// It never says `Connection: close`.
    SaysNoClose = "says-no-close",
    /// At the signal it drops what is being uploaded.
    DropsUploads = "drops-uploads",
    /// At the signal it breaks off what it streams.
    BreaksStreams = "breaks-streams",
    /// It counts a request as done before its response is written.
    ForgetsWrites = "forgets-writes",
    /// It waits for idle keep-alive connections to end by themselves.
    WaitsForIdle = "waits-for-idle",
    /// It resets idle connections.
    ResetsIdle = "resets-idle",
    /// It takes a moment for each idle connection, one after the other.
    ClosesIdleSlowly = "closes-idle-slowly",
    /// It waits for connections that never spoke.
    WaitsForSilent = "waits-for-silent",
    /// It closes what is idle without giving it time.
    ClosesIdleAtOnce = "closes-idle-at-once",
    /// It closes connections on which half a head has come.
    DropsHalfHeads = "drops-half-heads",
    /// It has no deadline for heads.
    WaitsForHeads = "waits-for-heads",
    /// Connections that it accepts after the signal are dropped.
    DropsAccepted = "drops-what-it-accepts",
    /// It neither accepts nor closes its listener after the signal.
    LeavesListener = "leaves-its-listener",
    /// It has no deadline at all.
    NoDeadline = "has-no-deadline",
    /// At the deadline it drops what is in its handlers.
    CutsAtDeadline = "cuts-at-the-deadline",
    /// At the deadline it invites everybody to repeat.
    InvitesAll = "invites-all",
    /// At the deadline it ends streams as if they were whole.
    EndsStreams = "ends-streams",
    /// After the first signal it hears no other.
    DeafAfterFirst = "deaf-after-the-first",
    /// A second signal of any kind ends it.
    SecondKills = "second-signal-kills",
    /// HTTP/2 connections are not told, and waited for.
    WaitsForHttp2 = "waits-for-http2",
    /// HTTP/2 connections end without GOAWAY.
    NoGoAway = "no-goaway",
    /// HTTP/2 streams that come after the signal are dropped.
    DropsLateStreams = "drops-late-streams",
    /// One GOAWAY, which refuses at once.
    OneGoAway = "one-goaway",
    /// WebSockets are dropped at the signal.
    CutsWebSockets = "cuts-websockets",
    /// WebSockets are not told, and waited for.
    ForgetsWebSockets = "forgets-websockets",
    /// It closes over what a client still sends.
    ResetsUploads = "resets-uploads",
    /// It crashes when a client breaks off.
    FallsWithAClient = "falls-with-a-client",
    /// It waits for the body of a client that has broken off.
    KeepsTheGone = "keeps-the-gone",
    /// Its deadline is at half of its grace.
    GivesUpEarly = "gives-up-early",
    /// At the deadline it crashes.
    AbortsAtDeadline = "aborts-at-the-deadline",
    /// Its readiness URL says 200 to the end.
    AlwaysReady = "always-ready",
    /// Its readiness URL is gone as soon as it is signalled.
    ReadinessDies = "readiness-dies",
}
