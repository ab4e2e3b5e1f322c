//! The time axis: from when to when, its ticks, and what runs across.

use super::{Offset, Row, offset, relative};
use crate::record::{Micros, Process, Record};

/// How many lines of signals are drawn at most; a storm has more.
const SIGNALS: usize = 3;
/// How many ticks there are at most.
const TICKS: i64 = 10;
/// Before the signal that much is shown at least, if there was something.
const BEFORE: Offset = 250_000;
/// How wide a character of a label is, in thousandths of the axis.
const CHARACTER: i64 = 8;

/// From when to when.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::report) struct Axis {
    pub(in crate::report) from: Offset,
    pub(in crate::report) to: Offset,
    /// In milliseconds.
    pub(in crate::report) ticks: Vec<i64>,
}

impl Axis {
    /// Where a time lies on it, in thousandths; what is outside lies at its end.
    pub(in crate::report) fn place(&self, at: Offset) -> f64 {
        let width = (self.to - self.from).max(1) as f64;
        (at.clamp(self.from, self.to) - self.from) as f64 / width * 1000.0
    }
}

/// What runs across all rows.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::report) struct Line {
    pub(in crate::report) at: Offset,
    pub(in crate::report) kind: LineKind,
    pub(in crate::report) label: String,
    /// The label stands that many lines above the rows, so that it covers no other.
    pub(in crate::report) level: usize,
    /// The label stands to the left of its line, as there is no room to its right.
    pub(in crate::report) leftwards: bool,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum LineKind {
    Signal,
    Listener,
    Exit,
    /// The probe gave up and killed it.
    Killed,
}

pub(super) fn first_signal(record: &Record) -> Option<Micros> {
    let signals = record.processes.iter().flat_map(|process| &process.signals);
    signals.map(|(_, at)| *at).min()
}

/// Up to the last thing that happened. Before the signal no more than what came after it, so that a long preparation
/// does not squeeze the stop into a corner.
pub(super) fn axis(record: &Record, rows: &[Row], zero: Micros) -> Axis {
    let ends = record.processes.iter().map(|process| offset(end(process), zero));
    let last = ends.chain(rows.iter().map(|row| row.open.1)).max().unwrap_or_default().max(1_000);
    let first = rows.iter().map(|row| row.open.0).min().unwrap_or_default();
    let from = first.clamp(-last.max(BEFORE), -last / 20);
    let to = last + (last - from) / 50;
    Axis { from, to, ticks: ticks(from, to) }
}

fn end(process: &Process) -> Micros {
    process.exit.map_or(process.watched_until, |exit| exit.at)
}

/// Multiples of 1, 2 or 5 times a power of ten; zero is the signal.
fn ticks(from: Offset, to: Offset) -> Vec<i64> {
    let (from, to) = (from as f64 / 1e3, to as f64 / 1e3);
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|step| step * 10_i64.pow(power)));
    let step = steps.take(30).find(|step| (to - from) / *step as f64 <= TICKS as f64);
    let step = step.unwrap_or(i64::MAX);
    let first = (from / step as f64).ceil() as i64;
    (first..first + TICKS + 1).map(|n| n * step).take_while(|tick| *tick as f64 <= to).collect()
}

pub(super) fn lines(record: &Record, zero: Micros, axis: &Axis) -> Vec<Line> {
    let mut all: Vec<(Offset, LineKind, String)> = Vec::new();
    let several = record.processes.len() > 1;
    for (number, process) in record.processes.iter().enumerate() {
        let whose = if several { format!(" of server {}", number + 1) } else { String::new() };
        let unshown = process.signals.len().saturating_sub(SIGNALS);
        for (place, (signal, at)) in process.signals.iter().take(SIGNALS).enumerate() {
            let more = if unshown > 0 && place + 1 == SIGNALS {
                format!(" and {unshown} more signals")
            } else {
                String::new()
            };
            all.push((
                offset(*at, zero),
                LineKind::Signal,
                format!("{}{whose}{more}", signal_name(*signal)),
            ));
        }
        if let Some(at) = process.listener_closed {
            let at = offset(at, zero);
            all.push((at, LineKind::Listener, format!("listener closed{whose} {}", relative(at))));
        }
        let at = offset(end(process), zero);
        let (kind, what) = match process.exit {
            Some(exit) => match (exit.code, exit.signal) {
                (Some(code), _) => (LineKind::Exit, format!("exit {code}")),
                (None, Some(signal)) => {
                    (LineKind::Exit, format!("killed by {}", signal_name(signal)))
                }
                (None, None) => (LineKind::Exit, "exit".to_owned()),
            },
            None => (LineKind::Killed, "no exit: killed by the probe".to_owned()),
        };
        all.push((at, kind, format!("{what}{whose} {}", relative(at))));
    }
    all.sort_by_key(|(at, ..)| *at);
    let mut taken: Vec<f64> = Vec::new();
    let place = |(at, kind, label): (Offset, LineKind, String)| {
        let width = (label.chars().count() as i64 * CHARACTER) as f64;
        let x = axis.place(at);
        let leftwards = x + width > 1000.0;
        let (begin, end) = if leftwards { (x - width, x) } else { (x, x + width) };
        let level = taken.iter().position(|until| *until < begin).unwrap_or(taken.len());
        if level == taken.len() {
            taken.push(end);
        } else {
            taken[level] = end;
        }
        Line { at, kind, label, level, leftwards }
    };
    all.into_iter().map(place).collect()
}

/// As people write it: SIGTERM.
pub(in crate::report) fn signal_name(number: i32) -> String {
    let known = [(1, "HUP"), (2, "INT"), (3, "QUIT"), (6, "ABRT"), (9, "KILL"), (10, "USR1")];
    let more = [(11, "SEGV"), (12, "USR2"), (15, "TERM"), (28, "WINCH")];
    let found = known.iter().chain(&more).find(|(known, _)| *known == number);
    found.map_or_else(|| format!("signal {number}"), |(_, name)| format!("SIG{name}"))
}
