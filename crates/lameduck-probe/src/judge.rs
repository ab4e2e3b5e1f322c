//! From what was seen to a verdict: a pure function of the demands, the record and the grace.
//!
//! 1. Every demand is held against the record; of what they find the worst is told (the order is
//!    [`Verdict`]'s own).
//! 2. A demand on requests of which there are none is no pass: the case could not run.
//! 3. Nothing here waits, reads a clock or knows how the events came about.

mod blame;
mod ending;
mod requests;
#[cfg(test)]
mod tests;
mod told;

pub(crate) use blame::{Blame, blame_exchange, blame_silence};

use crate::demand::Demand;
use crate::record::{Micros, Record};
use crate::verdict::{Judgement, Verdict};

/// What is allowed beyond the grace, for a process that has to be woken, to write its report and to end.
pub const SLACK_MS: u64 = 1_000;

/// One thing that is not as demanded.
#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    figure: String,
    why: String,
}

impl Finding {
    fn new(verdict: Verdict, figure: impl Into<String>, why: impl Into<String>) -> Self {
        Self { verdict, figure: figure.into(), why: why.into() }
    }

    fn odd(figure: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Verdict::Odd, figure, why)
    }

    /// The demand meets nothing that it could be held against.
    fn nothing(what: &str) -> Self {
        Self::new(Verdict::CouldNotRun, "", format!("the run recorded no {what} to judge"))
    }
}

/// The verdict on one run of a case.
#[must_use]
pub fn judge(demands: &[Demand], record: &Record, grace_ms: u64) -> Judgement {
    let mut worst: Option<Finding> = None;
    for demand in demands {
        if let Some(finding) = hold(*demand, record, grace_ms)
            && worst.as_ref().is_none_or(|worst| worst.verdict < finding.verdict)
        {
            worst = Some(finding);
        }
    }
    match worst {
        Some(Finding { verdict, figure, why }) => Judgement { verdict, figure, why },
        None => Judgement { verdict: Verdict::Pass, figure: figure(record), why: praise(record) },
    }
}

fn hold(demand: Demand, record: &Record, grace_ms: u64) -> Option<Finding> {
    match demand {
        Demand::Answered(role) => requests::answered(record, role),
        Demand::Accounted(role) => requests::accounted(record, role),
        Demand::TurnedAway(role) => requests::turned_away(record, role),
        Demand::SaysClose(role) => requests::says_close(record, role),
        Demand::NotInvited(role) => requests::not_invited(record, role),
        Demand::VisiblyCut(role) => requests::visibly_cut(record, role),
        Demand::Closed(role) => requests::closed(record, role),
        Demand::ExitInGrace => ending::within(record, grace_ms + SLACK_MS, ending::From::Signal),
        Demand::ExitWithin(ms) => ending::within(record, ms, ending::From::Signal),
        Demand::ExitAfterLastSignal(ms) => ending::within(record, ms, ending::From::LastSignal),
        Demand::ExitAfterLastResponse(ms) => ending::within(record, ms, ending::From::LastResponse),
        Demand::CleanCode => ending::clean_code(record),
        Demand::OwnEnd => ending::own_end(record),
        Demand::FailureCode => ending::failure_code(record),
        Demand::ListenerClosed(ms) => ending::listener_closed(record, ms),
        Demand::GoAway => told::go_away(record),
        Demand::GoAwayTwice => told::go_away_twice(record),
        Demand::Goodbye => told::goodbye(record),
        Demand::UnreadyFirst => told::unready_first(record),
        Demand::UnreadyUntilEnd => told::unready_until_end(record),
    }
}

/// What a pass shows: how long the slowest process took from its signal to its end.
fn figure(record: &Record) -> String {
    let took = record.processes.iter().filter_map(|process| {
        let (_, signal) = process.signals.first()?;
        Some(process.exit?.at.saturating_sub(*signal))
    });
    took.max().map_or_else(String::new, |took| format!("exit after {}", time(took)))
}

fn praise(record: &Record) -> String {
    // A pass has bad ones only where the client itself broke off.
    let asked = record.exchanges.len() - requests::counted(record, crate::Outcome::Bad);
    if asked == 0 {
        return "ended by itself".to_owned();
    }
    let answered = requests::whole(record);
    let turned = requests::counted(record, crate::Outcome::TurnedAway);
    let refused = requests::counted(record, crate::Outcome::Refused);
    let mut text = format!("{answered} of {asked} requests answered");
    for (count, word) in [(turned, "turned away"), (refused, "refused")] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

/// A time for a person: "12 ms", "4.25 s".
fn time(micros: Micros) -> String {
    if micros < 1_000_000 {
        format!("{} ms", micros.div_ceil(1000))
    } else {
        format!("{:.2} s", micros as f64 / 1e6)
    }
}
