//! What a case demands of a server. Data: [`judge`](crate::judge) holds it against what was seen.

use crate::record::Role;

/// One demand. Where it names a [`Role`], it holds for every request, or connection, of that role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Answered whole, and not turned away: there was time for it.
    Answered(Role),
    /// Answered, turned away or refused: not lost, not cut, not hung.
    Accounted(Role),
    /// Answered 503 or 429, whole.
    TurnedAway(Role),
    /// The response said `Connection: close`.
    SaysClose(Role),
    /// If it was turned away, it was not invited to be repeated.
    NotInvited(Role),
    /// Its end can't be taken for a whole response.
    VisiblyCut(Role),
    /// Ended in order, not by a reset, and not left open.
    Closed(Role),
    /// The process ended by itself, within the grace and a second from the first signal.
    ExitInGrace,
    /// The same within that many milliseconds from the first signal.
    ExitWithin(u64),
    /// The same within that many milliseconds from the last signal.
    ExitAfterLastSignal(u64),
    /// The same within that many milliseconds from the end of the last response, or of the last connection.
    ExitAfterLastResponse(u64),
    /// It exited with 0, or with 128 + the signal, which supervisors take for the same.
    CleanCode,
    /// It ended by an exit of its own, whatever its code: no signal killed it.
    OwnEnd,
    /// It exited with a code that says that not all went well.
    FailureCode,
    /// The listener was closed within that many milliseconds from the signal.
    ListenerClosed(u64),
    /// Each HTTP/2 connection was told by a GOAWAY before it ended.
    GoAway,
    /// The first GOAWAY refused no stream, and a second one named the last.
    GoAwayTwice,
    /// Each WebSocket was told by a Close frame before it ended.
    Goodbye,
    /// The readiness URL said something else than 200 before the listener was closed.
    UnreadyFirst,
    /// Once it had turned, the readiness URL never said 200 again, and it answered until the last response.
    UnreadyUntilEnd,
}
