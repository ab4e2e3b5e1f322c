//! What of a record is drawn, and where: from a record to rows, bars, marks, lines and ticks. Pure, and without a word
//! of SVG; [`html`](super::html) draws it.
//!
//! 1. All times are microseconds from the first signal on; before it they are negative.
//! 2. What broke a demand is always in it, in front, up to [`ROWS`] rows; of the rest a sample, and how many are left
//!    out is said.
//! 3. Its size is bounded, whatever the record holds.

mod axis;
mod rows;
#[cfg(test)]
mod tests;

use crate::demand::Demand;
use crate::outcome::Outcome;
use crate::record::{Micros, Record};

pub(super) use axis::{Axis, Line, LineKind, signal_name};

/// How many rows a drawing has at most.
pub(super) const ROWS: usize = 24;
/// How many requests a row shows at most.
pub(super) const BARS: usize = 12;

/// Microseconds from the first signal on.
pub(super) type Offset = i64;

/// One drawing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    pub(super) axis: Axis,
    /// What runs across all rows, in the order of time.
    pub(super) lines: Vec<Line>,
    pub(super) rows: Vec<Row>,
    /// How many rows are not in it.
    pub(super) left_out: usize,
}

/// One connection, or what it has in flight at the same time as something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The connection and what it is there for.
    pub(super) label: String,
    /// What it came to, in a word or two.
    pub(super) end: String,
    /// Why it broke a demand, if it did.
    pub(super) fault: Option<String>,
    /// From where to where the connection is known to have been open.
    pub(super) open: (Offset, Offset),
    pub(super) bars: Vec<Bar>,
    /// How many requests before those are not drawn.
    pub(super) earlier: usize,
    pub(super) marks: Vec<Mark>,
}

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    /// When its connection began to be opened, if it is the first on it.
    pub(super) connect: Option<Offset>,
    pub(super) sent: Option<Offset>,
    pub(super) first_byte: Option<Offset>,
    pub(super) end: Offset,
    pub(super) outcome: Outcome,
    pub(super) faulty: bool,
    /// All of it in words.
    pub(super) title: String,
}

/// Something besides requests on a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Offset,
    pub(super) kind: MarkKind,
    pub(super) title: String,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// The server said that it goes: GOAWAY, a Close frame, not ready.
    Told,
    /// The end of a connection, in order.
    Closed,
    /// A reset, or an end that nobody was told of.
    Broken,
    /// Still open.
    Open,
    /// An answer of the readiness URL that says ready.
    Ready,
}

/// What is drawn of this record. `None` if it holds nothing that could be.
pub(super) fn timeline(record: &Record, demands: &[Demand]) -> Option<Timeline> {
    let zero = axis::first_signal(record)?;
    let (rows, left_out) = rows::rows(record, demands, zero);
    let axis = axis::axis(record, &rows, zero);
    let lines = axis::lines(record, zero, &axis);
    Some(Timeline { axis, lines, rows, left_out })
}

fn offset(at: Micros, zero: Micros) -> Offset {
    let signed = |micros: Micros| i64::try_from(micros).unwrap_or(i64::MAX);
    signed(at).saturating_sub(signed(zero))
}

/// A time for a person: "-12 ms", "+4.25 s".
fn relative(at: Offset) -> String {
    let sign = if at < 0 { '-' } else { '+' };
    match at.unsigned_abs() {
        micros @ 0..10_000 => format!("{sign}{:.1} ms", micros as f64 / 1e3),
        micros @ 10_000..1_000_000 => format!("{sign}{} ms", (micros + 500) / 1000),
        micros => format!("{sign}{:.2} s", micros as f64 / 1e6),
    }
}
