//! What was seen in one run of a case: the events of every connection and of every server process.
//!
//! All times are microseconds since the case began, so that a record can be kept, sent and drawn. A record holds what
//! was seen and no verdict: [`judge`](crate::judge) makes one of it.

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// Microseconds since the case began.
pub type Micros = u64;

/// What a request or a connection is there for; what is demanded of it depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Only there to bring a connection into a state, before the signal.
    Setup,
    /// Under way when the signal came, and done in time if it is let.
    InFlight,
    /// The request behind one that is in flight, on the same connection.
    Pipelined,
    /// Sent after the signal on a connection from before it.
    Late,
    /// On a connection opened after the signal.
    Fresh,
    /// One of many that never pause.
    Load,
    /// Its handler does not end within the grace.
    Endless,
    /// A connection on which nothing is asked.
    Idle,
}

/// One request, from its connection's opening to the end of the response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Which connection, counted in the order of opening.
    pub connection: u32,
    /// What it is there for.
    pub role: Role,
    /// The request line, or what stands for it.
    pub request: String,
    /// When the connection began to be opened.
    pub connect: Micros,
    /// When the first byte of the request was handed to the kernel.
    pub sent: Option<Micros>,
    /// When the first byte of the response was read.
    pub first_byte: Option<Micros>,
    /// When it was over, one way or another.
    pub end: Micros,
    /// How.
    pub outcome: Outcome,
    /// The status code, if a head came.
    pub status: Option<u16>,
    /// The response said that the connection ends behind it.
    pub says_close: bool,
    /// The response said when to repeat the request.
    pub retry_after: bool,
    /// What was odd about it, for a person.
    pub detail: Option<String>,
}

/// How a connection ended on which nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The end of the stream, in order.
    Closed,
    /// A reset.
    Reset,
    /// It was still open when the client stopped looking.
    Open,
}

/// A connection on which nothing was asked any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which connection, counted in the order of opening.
    pub connection: u32,
    /// What it is there for.
    pub role: Role,
    /// When the connection began to be opened.
    pub connect: Micros,
    /// When the client knew its end, or stopped looking.
    pub end: Micros,
    /// How it ended.
    pub ending: Ending,
}

/// Something that was seen besides requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// An HTTP/2 GOAWAY.
    GoAway {
        /// The connection.
        connection: u32,
        /// When.
        at: Micros,
        /// The last stream that the server promises to process.
        last_stream: u32,
    },
    /// An HTTP/2 connection ended; the GOAWAYs on it are facts of their own.
    Http2Ended {
        /// The connection.
        connection: u32,
        /// When.
        at: Micros,
        /// How.
        ending: Ending,
    },
    /// A WebSocket ended.
    WebSocketEnded {
        /// The connection.
        connection: u32,
        /// When.
        at: Micros,
        /// The code of the Close frame; `None` if it ended without one.
        code: Option<u16>,
    },
    /// An answer of the readiness URL.
    Ready {
        /// When it was there.
        at: Micros,
        /// Its status; `None` if there was no answer.
        status: Option<u16>,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When.
    pub at: Micros,
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
}

/// One server process, from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// When it was started.
    pub started: Micros,
    /// When it first took a connection; `None` if it was signalled before.
    pub ready: Option<Micros>,
    /// The signals that the probe sent, by number.
    pub signals: Vec<(i32, Micros)>,
    /// When nobody listened on its port any more, as far as the probe looked: from the first signal on.
    pub listener_closed: Option<Micros>,
    /// Its end; `None` if the probe had to kill it.
    pub exit: Option<Exit>,
    /// When the probe stopped waiting for it.
    pub watched_until: Micros,
    /// The end of what it printed.
    pub output: String,
}

/// Everything that was seen in one run of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The requests, in the order in which they ended.
    pub exchanges: Vec<Exchange>,
    /// The connections on which nothing was asked.
    pub silences: Vec<Silence>,
    /// What else was seen.
    pub facts: Vec<Fact>,
    /// The processes, in the order of their ends.
    pub processes: Vec<Process>,
}
