//! What is demanded of the ways in which a server tells its peers that it stops.

use super::{Finding, requests};
use crate::record::{Fact, Record};

/// What a GOAWAY says that refuses no stream yet (RFC 9113, section 6.8).
const ALL_STREAMS: u32 = (1 << 31) - 1;

/// What two of the probe's threads see this close together, in microseconds, may have happened in either order. Two asks of the
/// readiness URL fit in.
const TOGETHER: u64 = 20_000;

/// Each ended HTTP/2 connection with the last streams of its GOAWAYs, in order.
fn connections(record: &Record) -> Vec<(u32, Vec<u32>)> {
    let ended = record.facts.iter().filter_map(|fact| match fact {
        Fact::Http2Ended { connection, .. } => Some(*connection),
        Fact::GoAway { .. } | Fact::WebSocketEnded { .. } | Fact::Ready { .. } => None,
    });
    let told = |of: u32| {
        record.facts.iter().filter_map(move |fact| match fact {
            Fact::GoAway { connection, last_stream, .. } if *connection == of => Some(*last_stream),
            Fact::GoAway { .. }
            | Fact::Http2Ended { .. }
            | Fact::WebSocketEnded { .. }
            | Fact::Ready { .. } => None,
        })
    };
    ended.map(|connection| (connection, told(connection).collect())).collect()
}

pub(super) fn go_away(record: &Record) -> Option<Finding> {
    let all = connections(record);
    if all.is_empty() {
        return Some(Finding::nothing("HTTP/2 connection"));
    }
    let untold = all.iter().filter(|(_, told)| told.is_empty()).count();
    (untold > 0).then(|| {
        let figure = format!("{untold} of {} untold", all.len());
        Finding::odd(
            figure,
            "an HTTP/2 connection ended without GOAWAY, so its client can't know what to repeat",
        )
    })
}

pub(super) fn go_away_twice(record: &Record) -> Option<Finding> {
    let all = connections(record);
    if all.is_empty() {
        return Some(Finding::nothing("HTTP/2 connection"));
    }
    all.iter().find_map(|(_, told)| match told.as_slice() {
        [] => Some(Finding::odd("no GOAWAY", "an HTTP/2 connection ended without GOAWAY")),
        [first, ..] if *first != ALL_STREAMS => {
            let why = format!("the first GOAWAY named stream {first}: streams on their way are refused without notice");
            Some(Finding::odd("no warning", why))
        }
        [_] => Some(Finding::odd("one GOAWAY", "no second GOAWAY named the last stream")),
        [_, .., last] if *last == ALL_STREAMS => {
            Some(Finding::odd("no last stream", "no GOAWAY named the last stream"))
        }
        [_, ..] => None,
    })
}

pub(super) fn goodbye(record: &Record) -> Option<Finding> {
    let codes: Vec<_> = record
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::WebSocketEnded { code, .. } => Some(*code),
            Fact::GoAway { .. } | Fact::Http2Ended { .. } | Fact::Ready { .. } => None,
        })
        .collect();
    if codes.is_empty() {
        return Some(Finding::nothing("WebSocket"));
    }
    let untold = codes.iter().filter(|code| code.is_none()).count();
    (untold > 0).then(|| {
        let figure = format!("{untold} of {} untold", codes.len());
        Finding::odd(
            figure,
            "a WebSocket ended without a Close frame: its client takes that for an error",
        )
    })
}

/// When the readiness URL answered, and what.
fn answers(record: &Record) -> Vec<(u64, Option<u16>)> {
    record
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Ready { at, status } => Some((*at, *status)),
            Fact::GoAway { .. } | Fact::Http2Ended { .. } | Fact::WebSocketEnded { .. } => None,
        })
        .collect()
}

pub(super) fn unready_first(record: &Record) -> Option<Finding> {
    let answers = answers(record);
    if !answers.iter().any(|(_, status)| *status == Some(200)) {
        return Some(Finding::nothing("readiness"));
    }
    let signal = requests::first_signal(record);
    let turned = answers
        .iter()
        .find(|(at, status)| *at >= signal && status.is_some_and(|status| status != 200));
    let Some((turned, _)) = turned else {
        return Some(Finding::odd(
            "never turned",
            "the readiness URL never said anything but 200 after the signal",
        ));
    };
    let closed = record.processes.iter().find_map(|process| process.listener_closed)?;
    (closed <= *turned).then(|| {
        let figure = format!("{} too late", super::time(turned - closed));
        Finding::odd(
            figure,
            "the listener was closed before the readiness URL said so: the balancer still sends",
        )
    })
}

pub(super) fn unready_until_end(record: &Record) -> Option<Finding> {
    let answers = answers(record);
    if answers.is_empty() {
        return Some(Finding::nothing("readiness"));
    }
    let signal = requests::first_signal(record);
    let after: Vec<_> = answers.iter().filter(|(at, _)| *at >= signal).collect();
    let Some(turned) =
        after.iter().position(|(_, status)| status.is_some_and(|status| status != 200))
    else {
        return Some(Finding::odd(
            "never turned",
            "the readiness URL never said anything but 200 after the signal",
        ));
    };
    if after[turned..].iter().any(|(_, status)| *status == Some(200)) {
        return Some(Finding::odd(
            "turned back",
            "the readiness URL said 200 again while the server stopped",
        ));
    }
    let last = record
        .exchanges
        .iter()
        .filter(|exchange| exchange.status.is_some())
        .map(|exchange| exchange.end)
        .max()?;
    let silent = after.iter().find(|(at, status)| status.is_none() && at + TOGETHER < last)?;
    let figure = format!("silent {} early", super::time(last - silent.0));
    Some(Finding::odd(
        figure,
        "the readiness URL stopped answering while requests were still in flight",
    ))
}
