//! From the signal to the exit with many idle connections, and from the last response to the exit.

use std::time::Duration;

use lameduck_testkit::{Client, Signal, pause};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::kind::Kind;
use crate::memory::{Past, idle};
use crate::progress::alternate;
use crate::results::Results;
use crate::summary::Summary;
use crate::table::{Table, thousands};
use crate::tools::Tools;

const ROUNDS: usize = 3;
const COUNTS: [usize; 3] = [1_000, 5_000, 18_000];

/// lameduck's default.
const IDLE_GRACE_MS: f64 = 250.0;
/// How long after the idle grace the last of the largest number is to be gone.
const MOST_BEYOND_MS: f64 = 1_000.0;
/// What the time of the smallest number is off by from run to run (seen: 264 to 270 ms): it would be multiplied.
const NOISE_MS: f64 = 3.0;
/// What the servers' handler `/sleep` takes is 300 ms; the signal comes in between.
const INTO_THE_HANDLERS: Duration = Duration::from_millis(100);
const HANDLERS: usize = 50;
const EXIT_LIMIT: Duration = Duration::from_secs(30);

/// Milliseconds from the signal to the exit.
fn with_idle(kind: Kind, count: usize) -> Result<f64, Failure> {
    let server = kind.start();
    let connections = idle(server.addr(), count, Past::OneRequest)?;
    // Their last responses are over for the server too.
    pause(Duration::from_millis(300));
    let at = server.signal(Signal::TERM);
    let exit = server.wait_exit(EXIT_LIMIT);
    drop(connections);
    match exit.code {
        Some(0) => Ok((exit.at - at).as_secs_f64() * 1e3),
        _ => Err(format!("{} ended with {:?}:\n{}", kind.name(), exit.code, exit.stderr).into()),
    }
}

/// How many times as long many connections take as few, of milliseconds.
fn growth(few: f64, many: f64) -> f64 {
    many / (few.max(0.0) + NOISE_MS)
}

/// Milliseconds from the last response's last byte, as its client saw it, to the exit.
fn after_the_last_response(kind: Kind) -> Result<f64, Failure> {
    let server = kind.start();
    let mut clients = Vec::new();
    for _ in 0..HANDLERS {
        let mut client = Client::connect(server.addr()).map_err(|failure| failure.to_string())?;
        client.get("/sleep").map_err(|failure| failure.to_string())?;
        clients.push(client);
    }
    pause(INTO_THE_HANDLERS);
    let mut last = server.signal(Signal::TERM);
    for client in &mut clients {
        let response = client.read_response().map_err(|failure| failure.to_string())?;
        last = last.max(response.at);
    }
    let exit = server.wait_exit(EXIT_LIMIT);
    Ok(exit.at.saturating_duration_since(last).as_secs_f64() * 1e3)
}

/// Both, for the servers that stop in order.
pub(crate) fn measure(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    let kinds = tools.there(&[Kind::Lameduck, Kind::Axum, Kind::Go]);
    let rounds = rounds.unwrap_or(ROUNDS);
    let columns =
        ["", "idle connections", "ms, median", "range", "beyond the idle grace", "that per 1,000"];
    let mut table = Table::new("From SIGTERM to the exit", &columns);
    let mut figures = Map::new();
    let mut ours = Vec::new();
    for count in COUNTS {
        let title = format!("{} idle connections", thousands(count as f64));
        let values = alternate(&title, rounds, &kinds, |kind| with_idle(kind, count))?;
        let mut of_count = Map::new();
        for (kind, values) in &values {
            let summary = Summary::of(values);
            // The others close what is idle at once.
            let grace = if *kind == Kind::Lameduck { IDLE_GRACE_MS } else { 0.0 };
            let beyond = summary.median() - grace;
            if *kind == Kind::Lameduck {
                ours.push((count as f64, beyond));
            }
            table.row(vec![
                kind.name().to_owned(),
                thousands(count as f64),
                format!("{:.0}", summary.median()),
                format!("{:.0} to {:.0}", summary.quantile(0.0), summary.quantile(1.0)),
                format!("{beyond:.0}"),
                format!("{:.1}", beyond * 1e3 / count as f64),
            ]);
            of_count.insert(kind.name().to_owned(), json!(values));
        }
        figures.insert(count.to_string(), Value::Object(of_count));
    }
    results.add("milliseconds from the signal to the exit", &table, Value::Object(figures));
    if let [few, .., many] = ours[..] {
        let what = format!("ms beyond the idle grace, {} connections", thousands(many.0));
        results.at_most(&what, many.1, MOST_BEYOND_MS);
        let what = format!("{what}: to {}'s", thousands(few.0));
        results.at_most(&what, growth(few.1, many.1), many.0 / few.0);
    }

    let what = "From the last of 50 responses to the exit";
    let rounds = rounds * 5;
    let values = alternate(what, rounds, &kinds, after_the_last_response)?;
    let mut table = Table::new(format!("{what}, {rounds} stops"), &["", "ms, median", "range"]);
    let mut figures = Map::new();
    for (kind, values) in &values {
        let summary = Summary::of(values);
        table.row(vec![
            kind.name().to_owned(),
            format!("{:.1}", summary.median()),
            format!("{:.1} to {:.1}", summary.quantile(0.0), summary.quantile(1.0)),
        ]);
        figures.insert(kind.name().to_owned(), json!(values));
    }
    results.add("milliseconds from the last response to the exit", &table, Value::Object(figures));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_grows_with_the_number_is_within_its_noise_and_a_square_is_not() {
        for (few, many, grows_as_the_number) in
            [(17.0, 273.0, true), (15.0, 300.0, true), (-1.0, 30.0, true), (17.0, 5_500.0, false)]
        {
            let growth = growth(few, many);
            assert_eq!(growth <= 18.0, grows_as_the_number, "{few} to {many}: {growth}");
        }
    }
}
