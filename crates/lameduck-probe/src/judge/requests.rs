//! What is demanded of requests and of silent connections.

use super::{Finding, time};
use crate::outcome::Outcome;
use crate::record::{Ending, Exchange, Micros, Record, Role};
use crate::verdict::Verdict;

pub(super) fn counted(record: &Record, outcome: Outcome) -> usize {
    record.exchanges.iter().filter(|exchange| exchange.outcome == outcome).count()
}

pub(super) fn whole(record: &Record) -> usize {
    counted(record, Outcome::Answered)
}

/// Those of that role; what was found if there are none.
fn of(record: &Record, role: Role) -> Result<Vec<&Exchange>, Finding> {
    let all: Vec<_> = record.exchanges.iter().filter(|exchange| exchange.role == role).collect();
    if all.is_empty() { Err(Finding::nothing("request")) } else { Ok(all) }
}

pub(super) fn accounted(record: &Record, role: Role) -> Option<Finding> {
    let all = match of(record, role) {
        Ok(all) => all,
        Err(nothing) => return Some(nothing),
    };
    let signal = first_signal(record);
    // Of a load only what the stop could touch is worth counting.
    let touched = all.iter().filter(|exchange| exchange.end >= signal).count();
    let under_way = if role == Role::Load { touched } else { all.len() };
    let lost: Vec<_> = all
        .iter()
        .filter(|exchange| exchange.outcome == Outcome::Lost && !excused(record, exchange))
        .collect();
    if let Some(first) = lost.first() {
        let before = lost.iter().filter(|exchange| exchange.end < signal).count();
        let of = under_way + before;
        let mut why = match first.sent {
            Some(sent) => format!(
                "{}, sent {}, got no byte of an answer: its connection ended",
                first.request,
                relative(sent, signal)
            ),
            None => format!(
                "a connection made {} was reset before its request could be sent",
                relative(first.connect, signal)
            ),
        };
        if before > 0 {
            why.push_str(&format!("; {before} of them were lost before the signal"));
        }
        let verdict = Verdict::Lost { lost: lost.len(), of };
        return Some(Finding::new(verdict, format!("{} of {of} lost", lost.len()), why));
    }
    for (outcome, verdict, what) in [
        (Outcome::Cut, Verdict::Cut, "began to be answered and the answer did not end"),
        (Outcome::Hung, Verdict::Hung, "got no end of an answer"),
        (Outcome::Bad, Verdict::Odd, "got something else than it asked for"),
    ] {
        let such: Vec<_> = all
            .iter()
            .filter(|exchange| exchange.outcome == outcome && !is_own_lack(exchange))
            .collect();
        if let Some(first) = such.first() {
            let detail =
                first.detail.as_deref().map_or_else(String::new, |text| format!(" ({text})"));
            let why = format!("{} {what}{detail}", first.request);
            return Some(Finding::new(verdict, format!("{} of {under_way}", such.len()), why));
        }
    }
    own_lack(&all)
}

/// Whether the client itself ran out of something before it could connect, which says nothing about the server.
fn is_own_lack(exchange: &Exchange) -> bool {
    exchange.outcome == Outcome::Bad && exchange.sent.is_none()
}

/// What there is to say where a client could not connect for want of something.
fn own_lack(all: &[&Exchange]) -> Option<Finding> {
    let first = all.iter().find(|exchange| is_own_lack(exchange))?;
    let error = first.detail.as_deref().unwrap_or("no reason was given");
    let why = format!("a client could not connect: {error}");
    Some(Finding::new(Verdict::CouldNotRun, "", why))
}

/// A loss that is not the server's.
pub(super) fn excused(record: &Record, lost: &Exchange) -> bool {
    told(record, lost) || dawdled(record, lost)
}

/// A client of a load that was still on the connection from before the signal, or had an answer on it since, and then
/// sent nothing for so long did not run: it thinks for 10 ms at most. Its connection was idle to any server by then.
fn dawdled(record: &Record, lost: &Exchange) -> bool {
    const AT_MOST: Micros = 150_000;
    if (lost.role, lost.outcome) != (Role::Load, Outcome::Lost) {
        return false;
    }
    let Some(sent) = lost.sent else { return false };
    let signal = first_signal(record);
    let same = |before: &&Exchange| before.connection == lost.connection && before.end <= sent;
    let answered = record.exchanges.iter().filter(same).map(|before| before.end).max();
    // Before the signal there was nothing that could end it.
    let quiet_since = answered.or((lost.connect < signal).then_some(signal));
    quiet_since.is_some_and(|since| sent.saturating_sub(since.max(signal)) > AT_MOST)
}

/// Pipelined behind a whole response that said `Connection: close`: as that header says, it was not processed
/// (RFC 9112, section 9.6), and the client knows it.
fn told(record: &Record, lost: &Exchange) -> bool {
    record.exchanges.iter().any(|before| {
        before.connection == lost.connection
            && before.says_close
            && before.end <= lost.end
            && matches!(before.outcome, Outcome::Answered | Outcome::TurnedAway)
    })
}

pub(super) fn answered(record: &Record, role: Role) -> Option<Finding> {
    let all = match of(record, role) {
        Ok(all) => all,
        Err(nothing) => return Some(nothing),
    };
    if let Some(finding) = accounted(record, role) {
        return Some(finding);
    }
    let not = |outcome| all.iter().filter(move |exchange| exchange.outcome == outcome).count();
    let (away, refused) = (not(Outcome::TurnedAway), not(Outcome::Refused));
    if away > 0 {
        let figure = format!("{away} of {} turned away", all.len());
        return Some(Finding::odd(
            figure,
            "the server answered 503 although there was time for the answer",
        ));
    }
    if refused > 0 {
        let figure = format!("{refused} of {} refused", all.len());
        return Some(Finding::odd(
            figure,
            "the server took no request although it should still serve",
        ));
    }
    let failed: Vec<_> =
        all.iter().filter(|exchange| exchange.status.is_some_and(|status| status >= 500)).collect();
    let first = failed.first()?;
    let status = first.status.unwrap_or_default();
    let why = format!("{} was answered with status {status}", first.request);
    Some(Finding::odd(format!("{} of {} failed", failed.len(), all.len()), why))
}

pub(super) fn turned_away(record: &Record, role: Role) -> Option<Finding> {
    let all = match of(record, role) {
        Ok(all) => all,
        Err(nothing) => return Some(nothing),
    };
    let not_told: Vec<_> = all
        .iter()
        .filter(|exchange| exchange.outcome != Outcome::TurnedAway && !is_own_lack(exchange))
        .collect();
    let other = not_told.len();
    let Some(first) = not_told.first() else {
        return own_lack(&all);
    };
    let (verdict, how) = match first.outcome {
        Outcome::Lost => (
            Verdict::Lost { lost: other, of: all.len() },
            "its connection ended without a byte of an answer, instead of a 503",
        ),
        Outcome::Cut => (Verdict::Cut, "its answer began and did not end"),
        Outcome::Hung => (Verdict::Hung, "it got no answer at all"),
        Outcome::Answered | Outcome::Refused | Outcome::TurnedAway | Outcome::Bad => {
            (Verdict::Odd, "it was not answered 503")
        }
    };
    let why = format!("{} did not end within the grace, and {how}", first.request);
    Some(Finding::new(verdict, format!("{other} of {} not told", all.len()), why))
}

pub(super) fn says_close(record: &Record, role: Role) -> Option<Finding> {
    let all = match of(record, role) {
        Ok(all) => all,
        Err(nothing) => return Some(nothing),
    };
    let silent: Vec<_> =
        all.iter().filter(|exchange| exchange.status.is_some() && !exchange.says_close).collect();
    let first = silent.first()?;
    let why = format!("the answer to {} does not say `Connection: close`", first.request);
    Some(Finding::odd(format!("{} of {}", silent.len(), all.len()), why))
}

pub(super) fn not_invited(record: &Record, role: Role) -> Option<Finding> {
    let all = match of(record, role) {
        Ok(all) => all,
        Err(nothing) => return Some(nothing),
    };
    let first = all.iter().find(|exchange| exchange.retry_after)?;
    let why = format!(
        "{} was interrupted in its handler, and the answer's Retry-After invites to do it twice",
        first.request
    );
    Some(Finding::odd("Retry-After", why))
}

pub(super) fn visibly_cut(record: &Record, role: Role) -> Option<Finding> {
    let all = match of(record, role) {
        Ok(all) => all,
        Err(nothing) => return Some(nothing),
    };
    let whole = all.iter().find(|exchange| {
        matches!(exchange.outcome, Outcome::Answered)
            && exchange.status.is_some_and(|status| status < 400)
    });
    if let Some(first) = whole {
        let why = format!("{} was cut short, and looks like a whole response", first.request);
        return Some(Finding::odd("looks whole", why));
    }
    let hung = all.iter().find(|exchange| exchange.outcome == Outcome::Hung)?;
    let why = format!("{} was neither ended nor cut", hung.request);
    Some(Finding::new(Verdict::Hung, "still open", why))
}

pub(super) fn closed(record: &Record, role: Role) -> Option<Finding> {
    let all: Vec<_> = record.silences.iter().filter(|silence| silence.role == role).collect();
    if all.is_empty() {
        return Some(Finding::nothing("connection"));
    }
    let of = |ending| all.iter().filter(move |silence| silence.ending == ending).count();
    let (open, reset) = (of(Ending::Open), of(Ending::Reset));
    if open > 0 {
        let figure = format!("{open} of {} open", all.len());
        return Some(Finding::new(
            Verdict::Hung,
            figure,
            "connections without a request were left open",
        ));
    }
    if reset > 0 {
        let figure = format!("{reset} of {} reset", all.len());
        return Some(Finding::odd(
            figure,
            "connections without a request were reset instead of closed",
        ));
    }
    None
}

/// The first signal of all; 0 without one.
pub(super) fn first_signal(record: &Record) -> u64 {
    let signals = record.processes.iter().filter_map(|process| process.signals.first());
    signals.map(|(_, at)| *at).min().unwrap_or_default()
}

fn relative(at: u64, signal: u64) -> String {
    if at >= signal {
        format!("{} after the signal", time(at - signal))
    } else {
        format!("{} before the signal", time(signal - at))
    }
}
