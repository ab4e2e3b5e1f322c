//! The rows: each connection, those that broke a demand first.

use std::collections::BTreeMap;

use super::{BARS, Bar, Mark, MarkKind, Offset, ROWS, Row, offset, relative};
use crate::demand::Demand;
use crate::judge::{Blame, blame_exchange, blame_silence};
use crate::outcome::Outcome;
use crate::record::{Ending, Exchange, Fact, Micros, Record, Role, Silence};
use crate::report::escape::clip;
use crate::verdict::Verdict;

/// How long a sentence is at most, in characters.
const TEXT: usize = 200;

/// All that is known of one connection.
#[derive(Debug, Default)]
struct Connection<'a> {
    exchanges: Vec<&'a Exchange>,
    silences: Vec<&'a Silence>,
    marks: Vec<Mark>,
}

/// The rows to be drawn, and how many are left out.
pub(super) fn rows(record: &Record, demands: &[Demand], zero: Micros) -> (Vec<Row>, usize) {
    let mut connections: BTreeMap<u32, Connection<'_>> = BTreeMap::new();
    for exchange in &record.exchanges {
        connections.entry(exchange.connection).or_default().exchanges.push(exchange);
    }
    for silence in &record.silences {
        connections.entry(silence.connection).or_default().silences.push(silence);
    }
    for fact in &record.facts {
        if let Some((connection, mark)) = told(fact, zero) {
            connections.entry(connection).or_default().marks.push(mark);
        }
    }
    let mut all = Vec::new();
    for (number, connection) in connections {
        all.extend(connection.rows(number, record, demands, zero));
    }
    let (mut rows, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|row| row.fault.is_some());
    let readiness = readiness(record, zero);
    let room = ROWS - usize::from(readiness.is_some());
    let whole = rows.len() + rest.len();
    rows.truncate(room);
    rows.extend(sample(rest, room - rows.len()));
    let left_out = whole - rows.len();
    rows.extend(readiness);
    (rows, left_out)
}

/// So many of them, from beginning to end at the same distance.
fn sample<T>(all: Vec<T>, count: usize) -> impl Iterator<Item = T> {
    let of = all.len();
    let chosen = move |place: &usize| of <= count || place * count / of != (place + 1) * count / of;
    all.into_iter().enumerate().filter(move |(place, _)| chosen(place)).map(|(_, row)| row)
}

impl Connection<'_> {
    /// One row, and one more for each request that is under way at the same time as all of those.
    fn rows(self, number: u32, record: &Record, demands: &[Demand], zero: Micros) -> Vec<Row> {
        let Self { mut exchanges, silences, marks } = self;
        exchanges.sort_by_key(|exchange| (begin(exchange), exchange.end));
        let mut lanes: Vec<Vec<&Exchange>> = Vec::new();
        for exchange in exchanges {
            let free = |lane: &&mut Vec<&Exchange>| {
                lane.last().is_none_or(|last| last.end <= begin(exchange))
            };
            match lanes.iter_mut().find(free) {
                Some(lane) => lane.push(exchange),
                None => lanes.push(vec![exchange]),
            }
        }
        if lanes.is_empty() {
            lanes.push(Vec::new());
        }
        let mut rows: Vec<_> =
            lanes.iter().map(|lane| row(number, lane, record, demands, zero)).collect();
        if let Some(first) = rows.first_mut() {
            if lanes[0].is_empty() {
                let at = marks.first().map_or(0, |mark| mark.at);
                first.open = (at, at);
                first.end = marks.last().map_or_else(String::new, |mark| mark.title.clone());
            }
            first.marks = marks;
            for silence in silences {
                first.silent(silence, record, demands, zero);
            }
            for mark in &first.marks {
                first.open = (first.open.0.min(mark.at), first.open.1.max(mark.at));
            }
        }
        rows
    }
}

impl Row {
    fn silent(&mut self, silence: &Silence, record: &Record, demands: &[Demand], zero: Micros) {
        let (from, at) = (offset(silence.connect, zero), offset(silence.end, zero));
        self.open = if self.bars.is_empty() {
            (from, at)
        } else {
            (self.open.0.min(from), self.open.1.max(at))
        };
        self.label = format!("#{} {}", silence.connection, role_word(silence.role));
        let (kind, word) = match silence.ending {
            Ending::Closed => (MarkKind::Closed, "closed"),
            Ending::Reset => (MarkKind::Broken, "reset"),
            Ending::Open => (MarkKind::Open, "still open"),
        };
        self.end = word.to_owned();
        self.marks.push(Mark { at, kind, title: format!("{word} {}", relative(at)) });
        if let Some(blame) = blame_silence(demands, record, silence).map(short) {
            self.fault = Some(blame.why);
        }
    }
}

/// Its sentence names the request, which may be long.
fn short(blame: Blame) -> Blame {
    Blame { why: clip(&blame.why, TEXT), ..blame }
}

fn begin(exchange: &Exchange) -> Micros {
    exchange.sent.unwrap_or(exchange.connect)
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Setup => "preparation",
        Role::InFlight => "in flight",
        Role::Pipelined => "pipelined",
        Role::Late => "late request",
        Role::Fresh => "new connection",
        Role::Load => "load",
        Role::Endless => "endless",
        Role::Idle => "idle",
    }
}

fn row(number: u32, lane: &[&Exchange], record: &Record, demands: &[Demand], zero: Micros) -> Row {
    let mut bars = Vec::new();
    let mut worst: Option<(Verdict, String, String)> = None;
    for (place, exchange) in lane.iter().enumerate() {
        let blame = blame_exchange(demands, record, exchange).map(short);
        if let Some(blame) = &blame
            && worst.as_ref().is_none_or(|(verdict, ..)| *verdict < blame.verdict)
        {
            worst = Some((blame.verdict, word(exchange).to_uppercase(), blame.why.clone()));
        }
        bars.push(bar(exchange, place == 0, blame.map(|blame| blame.why), zero));
    }
    let open = (
        bars.iter()
            .map(|bar| bar.connect.or(bar.sent).unwrap_or(bar.end))
            .min()
            .unwrap_or_default(),
        bars.iter().map(|bar| bar.end).max().unwrap_or_default(),
    );
    let last = lane.last().map_or_else(String::new, |exchange| word(exchange));
    let role = lane.last().map_or("connection", |exchange| role_word(exchange.role));
    let (end, fault) = match worst {
        Some((_, end, why)) => (end, Some(why)),
        None => (last, None),
    };
    let whole = bars.len();
    // The faults; and of the rest the last ones, as they show what the stop made of the connection.
    let faults = bars.iter().filter(|bar| bar.faulty).count().min(BARS);
    let (mut faults, mut others) = (faults, BARS - faults);
    let mut kept: Vec<_> = bars
        .into_iter()
        .rev()
        .filter(|bar| {
            let room = if bar.faulty { &mut faults } else { &mut others };
            let fits = *room > 0;
            *room -= usize::from(fits);
            fits
        })
        .collect();
    kept.reverse();
    Row {
        label: format!("#{number} {role}"),
        end,
        fault,
        open,
        earlier: whole - kept.len(),
        bars: kept,
        marks: Vec::new(),
    }
}

fn word(exchange: &Exchange) -> String {
    let status = exchange.status.map_or_else(String::new, |status| format!(" {status}"));
    let word = match exchange.outcome {
        Outcome::Answered => "answered",
        Outcome::Refused => "refused",
        Outcome::TurnedAway => "turned away",
        Outcome::Lost => "lost",
        Outcome::Cut => "cut",
        Outcome::Hung => "hung",
        Outcome::Bad => "odd",
    };
    format!("{word}{status}")
}

fn bar(exchange: &Exchange, first: bool, fault: Option<String>, zero: Micros) -> Bar {
    let at = |micros: Option<Micros>| micros.map(|micros| offset(micros, zero));
    let (connect, end) = (offset(exchange.connect, zero), offset(exchange.end, zero));
    let (sent, first_byte) = (at(exchange.sent), at(exchange.first_byte));
    let mut title = format!("{}\nconnect {}", clip(&exchange.request, 160), relative(connect));
    for (what, at) in [("request sent", sent), ("first byte", first_byte), ("end", Some(end))] {
        match at {
            Some(at) => title.push_str(&format!("\n{what} {}", relative(at))),
            None => title.push_str(&format!("\n{what}: never")),
        }
    }
    title.push_str(&format!("\n{}", word(exchange)));
    if exchange.says_close {
        title.push_str(", Connection: close");
    }
    if exchange.retry_after {
        title.push_str(", Retry-After");
    }
    let faulty = fault.is_some();
    let detail = exchange.detail.as_deref().map(|detail| clip(detail, TEXT));
    for more in [detail.as_deref(), fault.as_deref()].into_iter().flatten() {
        title.push_str(&format!("\n{more}"));
    }
    let connect = first.then_some(connect);
    Bar { connect, sent, first_byte, end, outcome: exchange.outcome, faulty, title }
}

fn told(fact: &Fact, zero: Micros) -> Option<(u32, Mark)> {
    let (connection, at, kind, what) = match fact {
        Fact::GoAway { connection, at, last_stream } => {
            (connection, at, MarkKind::Told, format!("GOAWAY, last stream {last_stream}"))
        }
        Fact::Http2Ended { connection, at, ending } => match ending {
            Ending::Closed => (connection, at, MarkKind::Closed, "closed".to_owned()),
            Ending::Reset => (connection, at, MarkKind::Broken, "reset".to_owned()),
            Ending::Open => (connection, at, MarkKind::Open, "still open".to_owned()),
        },
        Fact::WebSocketEnded { connection, at, code: Some(code) } => {
            (connection, at, MarkKind::Told, format!("Close {code}"))
        }
        Fact::WebSocketEnded { connection, at, code: None } => {
            (connection, at, MarkKind::Broken, "ended without Close".to_owned())
        }
        Fact::Ready { .. } => return None,
    };
    let at = offset(*at, zero);
    Some((*connection, Mark { at, kind, title: format!("{what} {}", relative(at)) }))
}

/// The answers of the readiness URL: where they change.
fn readiness(record: &Record, zero: Micros) -> Option<Row> {
    let answers: Vec<(Offset, Option<u16>)> = record
        .facts
        .iter()
        .filter_map(|fact| {
            if let Fact::Ready { at, status } = fact {
                Some((offset(*at, zero), *status))
            } else {
                None
            }
        })
        .collect();
    let (first, last) = (answers.first()?.0, answers.last()?.0);
    let mut marks: Vec<Mark> = Vec::new();
    let mut before = None;
    for (at, status) in answers {
        if before == Some(status) {
            continue;
        }
        before = Some(status);
        let (kind, title) = match status {
            Some(200) => (MarkKind::Ready, "ready (200)".to_owned()),
            Some(status) => (MarkKind::Told, format!("not ready ({status})")),
            None => (MarkKind::Broken, "no answer".to_owned()),
        };
        marks.push(Mark { at, kind, title: format!("{title} {}", relative(at)) });
    }
    marks.truncate(BARS);
    let end = marks.last().map_or_else(String::new, |mark| mark.title.clone());
    Some(Row {
        label: "readiness".to_owned(),
        end,
        fault: None,
        open: (first, last),
        bars: Vec::new(),
        earlier: 0,
        marks,
    })
}
