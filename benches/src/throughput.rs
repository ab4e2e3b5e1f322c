//! Requests per second, p99, and the server's processor time per request, which says the same as the first on a
//! machine that others use too, with less noise. The server has one processor and so one worker, the load has another; without a
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
use crate::{Failure, burst, h2load, machine};

const ROUNDS: usize = 15;
const HTTP2_WARM_UP: usize = 5_000;
const HTTP2_CONNECTIONS: usize = 16;
const HTTP2_STREAMS: usize = 16;

/// What lameduck's requests per second to another's are to be at least.
type Targets = &'static [(Kind, f64)];

const TARGETS: Targets = &[(Kind::Auto, 0.97), (Kind::Go, 1.3)];
/// Where the load's own processor is the limit, no server is 1.3 times as fast as another: the kernel alone is not.
const TARGETS_OF_A_LIMITED_LOAD: Targets = &[(Kind::Auto, 0.97)];

/// HTTP/1.1, connections kept and one per request.
pub(crate) fn http1(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    let kinds = [Kind::Lameduck, Kind::Auto, Kind::Axum, Kind::Go];
    // What a connection costs nobody can save, and nobody's load goes beyond it.
    let fresh = [&kinds[..], &[Kind::Bare, Kind::Floor]].concat();
    let (kinds, fresh) = (tools.there(&kinds), tools.there(&fresh));
    let kept = format!("{CONNECTIONS} kept connections");
    let at_a_time = format!("a connection per request, {CONNECTIONS} at a time");
    for (life, kinds, title, targets) in [
        (Life::Kept, &kinds, kept, TARGETS),
        (Life::OneRequest, &fresh, at_a_time, TARGETS_OF_A_LIMITED_LOAD),
    ] {
        compare(&title, kinds, targets, rounds, results, |server, _| load::run(server, life))?;
    }
    let title = format!("a connection per request, {} wait in the accept queue", burst::WAITING);
    compare(&title, &fresh, TARGETS, rounds, results, burst::run)
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
    compare(&title, &kinds, TARGETS, rounds, results, |server, _| {
        let load = |requests| h2load::run(server, requests, HTTP2_CONNECTIONS, HTTP2_STREAMS);
        let warm_up = load(HTTP2_WARM_UP)?;
        // As many as take about a second.
        let measured = load((warm_up.per_second as usize).max(HTTP2_WARM_UP))?;
        Ok(Rate { requests: warm_up.requests + measured.requests, ..measured })
    })
}

fn compare(
    title: &str,
    kinds: &[Kind],
    targets: Targets,
    rounds: Option<usize>,
    results: &mut Results,
    load: impl Fn(SocketAddr, u32) -> Result<Rate, Failure> + Sync,
) -> Result<(), Failure> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let awake = machine::keep_awake();
    if let Err(error) = &awake {
        results.remark(format!("Idle processors sleep, which the load pays for ({error})."));
    }
    let values = alternate(title, rounds, kinds, |kind| {
        let server = kind.start_on(0);
        let (to, pid) = (server.addr(), server.pid());
        // On a thread of its own: it stays where it is put, and so does what it starts.
        let before = machine::processor_micros(pid).map_err(|error| error.to_string())?;
        let rate = thread::scope(|scope| {
            // An error as text, which may cross threads.
            let pinned = || -> Result<Rate, String> {
                machine::stay_on(machine::processors() - 1)?;
                load(to, pid).map_err(|error| error.to_string())
            };
            scope.spawn(pinned).join().unwrap_or_else(|_| Err("the load panicked".to_owned()))
        });
        let rate = rate.map_err(|error| format!("{}: {error}", kind.name()))?;
        let after = machine::processor_micros(pid).map_err(|error| error.to_string())?;
        Ok::<_, String>(Round { rate, processor_micros: (after - before) / rate.requests as f64 })
    })?;
    drop(awake);
    let columns = [
        "",
        "requests/s, median",
        "p99, median",
        "processor time per request",
        "lameduck's requests/s to this: median (quartiles; range)",
        "lameduck's p99 to this",
        "lameduck's processor time to this",
    ];
    let mut table = Table::new(format!("{title}, {rounds} rounds"), &columns);
    let mut figures = Map::new();
    let ours = &values[0].1;
    for (kind, theirs) in &values {
        let rates: Vec<f64> = theirs.iter().map(|round| round.rate.per_second).collect();
        let p99s: Vec<f64> = theirs.iter().map(|round| round.rate.p99_micros).collect();
        let times: Vec<f64> = theirs.iter().map(|round| round.processor_micros).collect();
        let rate_ratios = by_round(ours, theirs, |round| round.rate.per_second);
        let p99_ratios = by_round(ours, theirs, |round| round.rate.p99_micros);
        let time_ratios = by_round(ours, theirs, |round| round.processor_micros);
        table.row(vec![
            kind.name().to_owned(),
            thousands(Summary::of(&rates).median()),
            format!("{:.2} ms", Summary::of(&p99s).median() / 1e3),
            format!("{:.1} µs", Summary::of(&times).median()),
            rate_ratios.spread(3),
            format!("{:.2}", p99_ratios.median()),
            time_ratios.spread(3),
        ]);
        let figure = json!({
            "requests per second": rates,
            "p99 in microseconds": p99s,
            "processor time per request in microseconds": times,
            "lameduck's requests per second to this": rate_ratios.json(),
            "lameduck's p99 to this": p99_ratios.json(),
            "lameduck's processor time to this": time_ratios.json(),
        });
        figures.insert(kind.name().to_owned(), figure);
    }
    results.add(title, &table, Value::Object(figures));
    // One that could not run has been named as left out.
    for (than, target) in targets {
        let Some((_, theirs)) = values.iter().find(|(kind, _)| kind == than) else { continue };
        let ratio = by_round(ours, theirs, |round| round.rate.per_second).median();
        let what = format!("{title}: requests/s to {}'s", than.name());
        results.at_least(&what, ratio, *target);
    }
    Ok(())
}

/// What one round found of one server.
struct Round {
    rate: Rate,
    /// Of the server, per request.
    processor_micros: f64,
}

/// Each round's value of one by the same round's of the other.
fn by_round(ours: &[Round], theirs: &[Round], value: impl Fn(&Round) -> f64) -> Summary {
    let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| value(ours) / value(theirs));
    Summary::of(&ratios.collect::<Vec<_>>())
}
