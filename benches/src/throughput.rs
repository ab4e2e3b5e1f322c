//! Requests per second and p99. The server has one processor and so one worker, the load has another; without a
//! second one they share it.

use std::net::SocketAddr;
use std::thread;

use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::load::{self, CONNECTIONS, Life, Rate};
use crate::progress::alternate;
use crate::results::Results;
use crate::summary::Summary;
use crate::table::{Table, thousands};
use crate::tools::Tools;
use crate::{Failure, h2load, machine};

const ROUNDS: usize = 15;
const HTTP2_REQUESTS: usize = 20_000;
const HTTP2_CONNECTIONS: usize = 16;
const HTTP2_STREAMS: usize = 16;

/// HTTP/1.1, connections kept and one per request.
pub(crate) fn http1(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    let kinds = tools.there(&[Kind::Lameduck, Kind::Auto, Kind::Axum, Kind::Go]);
    for (life, title) in [
        (Life::Kept, format!("{CONNECTIONS} kept connections")),
        (Life::OneRequest, format!("a connection per request, {CONNECTIONS} at a time")),
    ] {
        compare(&title, &kinds, rounds, results, |server| load::run(server, life))?;
    }
    Ok(())
}

/// HTTP/2.
pub(crate) fn http2(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    if !tools.h2load {
        results.left_out("HTTP/2: install nghttp2-client");
        return Ok(());
    }
    let kinds = tools.there(&[Kind::Lameduck, Kind::Auto, Kind::Axum, Kind::Go]);
    let title =
        format!("HTTP/2, {HTTP2_CONNECTIONS} connections with {HTTP2_STREAMS} streams each");
    compare(&title, &kinds, rounds, results, |server| {
        h2load::run(server, HTTP2_REQUESTS, HTTP2_CONNECTIONS, HTTP2_STREAMS)
    })
}

fn compare(
    title: &str,
    kinds: &[Kind],
    rounds: Option<usize>,
    results: &mut Results,
    load: impl Fn(SocketAddr) -> Result<Rate, Failure> + Sync,
) -> Result<(), Failure> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let values = alternate(title, rounds, kinds, |kind| {
        let server = kind.start_on(0);
        let to = server.addr();
        // On a thread of its own: it stays where it is put, and so does what it starts.
        let rate = thread::scope(|scope| {
            // An error as text, which may cross threads.
            let pinned = || -> Result<Rate, String> {
                machine::stay_on(machine::processors() - 1)?;
                load(to).map_err(|error| error.to_string())
            };
            scope.spawn(pinned).join().unwrap_or_else(|_| Err("the load panicked".to_owned()))
        });
        rate.map_err(|error| format!("{}: {error}", kind.name()))
    })?;
    let columns = [
        "",
        "requests/s, median",
        "p99, median",
        "lameduck's requests/s to this: median (quartiles; range)",
        "lameduck's p99 to this",
    ];
    let mut table = Table::new(format!("{title}, {rounds} rounds"), &columns);
    let mut figures = Map::new();
    let rates = |values: &[Rate]| values.iter().map(|rate| rate.per_second).collect::<Vec<_>>();
    let p99s = |values: &[Rate]| values.iter().map(|rate| rate.p99_micros).collect::<Vec<_>>();
    let (ours, our_p99s) = (rates(&values[0].1), p99s(&values[0].1));
    for (kind, values) in &values {
        let (rates, p99s) = (rates(values), p99s(values));
        let ratios = Summary::of(&by_round(&ours, &rates));
        let p99_ratios = Summary::of(&by_round(&our_p99s, &p99s));
        table.row(vec![
            kind.name().to_owned(),
            thousands(Summary::of(&rates).median()),
            format!("{:.2} ms", Summary::of(&p99s).median() / 1e3),
            ratios.spread(3),
            p99_ratios.spread(2),
        ]);
        let figure = json!({
            "requests per second": rates,
            "p99 in microseconds": p99s,
            "lameduck's requests per second to this": ratios.json(),
            "lameduck's p99 to this": p99_ratios.json(),
        });
        figures.insert(kind.name().to_owned(), figure);
    }
    results.add(title, &table, Value::Object(figures));
    Ok(())
}

/// Each round's value of one by the same round's of the other.
fn by_round(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| one / other).collect()
}
