//! What is demanded of the process: that it ends, when, and how it says so.

use super::{Finding, time};
use crate::record::{Micros, Process, Record};
use crate::verdict::Verdict;

/// Where a time begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Signal,
    LastSignal,
    LastResponse,
}

impl From {
    fn word(self) -> &'static str {
        match self {
            Self::Signal => "the signal",
            Self::LastSignal => "the last signal",
            Self::LastResponse => "the last response",
        }
    }
}

pub(super) fn within(record: &Record, limit_ms: u64, from: From) -> Option<Finding> {
    if record.processes.iter().all(|process| process.signals.is_empty()) {
        return Some(Finding::nothing("signalled process"));
    }
    record
        .processes
        .iter()
        .filter_map(|process| judge(record, process, limit_ms, from))
        .max_by_key(|f| f.verdict)
}

fn judge(record: &Record, process: &Process, limit_ms: u64, from: From) -> Option<Finding> {
    let (_, signal) = process.signals.first()?;
    let start = match from {
        From::Signal => *signal,
        From::LastSignal => process.signals.last().map_or(*signal, |(_, at)| *at),
        From::LastResponse => last_end(record, process).max(*signal),
    };
    let Some(exit) = process.exit else {
        let waited = time(process.watched_until.saturating_sub(*signal));
        let why = format!("the process did not end, and was killed {waited} after the signal");
        return Some(Finding::new(Verdict::Hung, "no exit", why));
    };
    let took = exit.at.saturating_sub(start);
    let limit = limit_ms * 1000;
    if took <= limit {
        return None;
    }
    let why = format!(
        "the process ended {} after {}; {} is what it should take at most",
        time(took),
        from.word(),
        time(limit)
    );
    Some(Finding::new(
        Verdict::Late { by_ms: (took - limit).div_ceil(1000) },
        format!("{} late", time(took - limit)),
        why,
    ))
}

/// The end of the last response or connection. What its client had read only after the process ended, out of the
/// kernel's buffers, ended with the process at the latest.
fn last_end(record: &Record, process: &Process) -> Micros {
    let exit = process.exit.map_or(Micros::MAX, |exit| exit.at);
    let responses = record.exchanges.iter().filter(|exchange| exchange.status.is_some());
    let silences = record.silences.iter().map(|silence| silence.end);
    responses
        .map(|exchange| exchange.end)
        .chain(silences)
        .map(|end| end.min(exit))
        .max()
        .unwrap_or_default()
}

pub(super) fn clean_code(record: &Record) -> Option<Finding> {
    if record.processes.is_empty() {
        return Some(Finding::nothing("signalled process"));
    }
    record.processes.iter().find_map(|process| {
        let (signal, _) = process.signals.first()?;
        let exit = process.exit?;
        match (exit.code, exit.signal) {
            (Some(0), _) => None,
            (Some(code), _) if code == 128 + signal => None,
            (Some(code), _) => {
                let why = format!("nothing was lost, and it exited with code {code}: supervisors take that for a failure");
                Some(Finding::odd(format!("exit code {code}"), why))
            }
            (None, by) => Some(killed(process, by.unwrap_or_default())),
        }
    })
}

/// Past the grace every code is an answer; what is none is to be killed.
pub(super) fn own_end(record: &Record) -> Option<Finding> {
    if record.processes.is_empty() {
        return Some(Finding::nothing("signalled process"));
    }
    record.processes.iter().find_map(|process| Some(killed(process, process.exit?.signal?)))
}

/// By the stop signal itself, or by another one.
fn killed(process: &Process, by: i32) -> Finding {
    let sent = process.signals.iter().any(|(signal, _)| *signal == by);
    let why = if sent {
        "the signal itself killed it: it does not handle it, or raised it once more at its end"
            .to_owned()
    } else {
        format!("it crashed with signal {by} while it stopped")
    };
    Finding::odd(format!("killed by signal {by}"), why)
}

pub(super) fn failure_code(record: &Record) -> Option<Finding> {
    let Some(process) = record.processes.first() else {
        return Some(Finding::nothing("signalled process"));
    };
    let exit = process.exit?;
    (exit.code == Some(0)).then(|| {
        Finding::odd(
            "exit code 0",
            "work was cut at the deadline, and the exit code says that all went well",
        )
    })
}

pub(super) fn listener_closed(record: &Record, limit_ms: u64) -> Option<Finding> {
    let signalled = record.processes.iter().find(|process| !process.signals.is_empty());
    let Some(process) = signalled else {
        return Some(Finding::nothing("signalled process"));
    };
    let (_, signal) = process.signals.first()?;
    let limit = limit_ms * 1000;
    let closed = process
        .listener_closed
        .or(process.exit.map(|exit| exit.at))
        .unwrap_or(process.watched_until);
    let took = closed.saturating_sub(*signal);
    (took > limit).then(|| {
        let why = format!(
            "it still listened {} after the signal, so new connections kept coming",
            time(took)
        );
        Finding::new(
            Verdict::Late { by_ms: (took - limit).div_ceil(1000) },
            format!("{} late", time(took - limit)),
            why,
        )
    })
}
