//! Which of the requests and connections a verdict is about, so that a person can be shown them.
//!
//! Each is held, alone, against the demands on its role by the same functions that make the verdict.

use super::{Finding, hold, requests};
use crate::demand::Demand;
use crate::record::{Exchange, Process, Record, Role, Silence};
use crate::verdict::Verdict;

/// What is not as demanded about one request or connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blame {
    /// How bad it is.
    pub(crate) verdict: Verdict,
    /// A plain sentence.
    pub(crate) why: String,
}

/// What is not as demanded about this request; `None` if nothing is.
pub(crate) fn blame_exchange(
    demands: &[Demand],
    record: &Record,
    exchange: &Exchange,
) -> Option<Blame> {
    if requests::excused(record, exchange) {
        return None;
    }
    let alone = Record { exchanges: vec![exchange.clone()], ..signalled(record) };
    worst(demands, &alone, exchange.role)
}

/// What is not as demanded about this silent connection; `None` if nothing is.
pub(crate) fn blame_silence(
    demands: &[Demand],
    record: &Record,
    silence: &Silence,
) -> Option<Blame> {
    let alone = Record { silences: vec![silence.clone()], ..signalled(record) };
    worst(demands, &alone, silence.role)
}

/// Nothing but the first signal, which sentences refer to.
fn signalled(record: &Record) -> Record {
    let process = Process {
        started: 0,
        ready: None,
        signals: vec![(0, requests::first_signal(record))],
        listener_closed: None,
        exit: None,
        watched_until: 0,
        output: String::new(),
    };
    Record { processes: vec![process], ..Record::default() }
}

fn worst(demands: &[Demand], alone: &Record, role: Role) -> Option<Blame> {
    let of_role = demands.iter().filter(|demand| about(**demand) == Some(role));
    let findings = of_role.filter_map(|demand| hold(*demand, alone, 0));
    let found = findings.filter(|finding| finding.verdict.is_failure());
    let worst = found.max_by_key(|finding| finding.verdict)?;
    let Finding { verdict, why, .. } = worst;
    Some(Blame { verdict, why })
}

/// Whose requests or connections it is about, if it is about single ones.
fn about(demand: Demand) -> Option<Role> {
    if let Demand::Answered(role)
    | Demand::Accounted(role)
    | Demand::TurnedAway(role)
    | Demand::SaysClose(role)
    | Demand::NotInvited(role)
    | Demand::VisiblyCut(role)
    | Demand::Closed(role) = demand
    {
        Some(role)
    } else {
        None
    }
}
