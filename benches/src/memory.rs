//! Resident memory per idle connection: what 10,000 of them add, by 10,000.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lameduck_testkit::{Client, eventually, pause};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::kind::Kind;
use crate::progress::alternate;
use crate::results::Results;
use crate::summary::Summary;
use crate::table::{Table, thousands};
use crate::tools::Tools;

const ROUNDS: usize = 3;
const CONNECTIONS: usize = 10_000;

/// What a connection did before it fell idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    Silent,
    OneRequest,
}

/// Connections whose request was answered, or that never sent one.
pub(crate) fn idle(to: SocketAddr, count: usize, past: Past) -> Result<Vec<TcpStream>, Failure> {
    use std::io::{Read, Write};

    let mut connections = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(to)?;
        if past == Past::OneRequest {
            stream.write_all(crate::load::REQUEST)?;
            let mut answer = Vec::new();
            let mut bytes = [0; 1024];
            while !crate::load::is_whole(&answer)? {
                match stream.read(&mut bytes)? {
                    0 => return Err("the server closed before its answer was whole".into()),
                    count => answer.extend_from_slice(&bytes[..count]),
                }
            }
        }
        connections.push(stream);
    }
    Ok(connections)
}

fn per_connection(kind: Kind, past: Past) -> Result<f64, Failure> {
    let server = kind.start();
    let mut first = Client::connect(server.addr()).map_err(|failure| failure.to_string())?;
    first.get("/").map_err(|failure| failure.to_string())?;
    first.read_response().map_err(|failure| failure.to_string())?;
    let before = server.proc().resident();
    let connections = idle(server.addr(), CONNECTIONS, past)?;
    if !eventually(Duration::from_secs(10), || server.proc().descriptors() >= CONNECTIONS) {
        return Err("the server did not accept all connections".into());
    }
    // The last of them are still being set up.
    pause(Duration::from_millis(300));
    let after = server.proc().resident();
    drop(connections);
    Ok((after as f64 - before as f64) / CONNECTIONS as f64)
}

/// Both pasts, every server.
pub(crate) fn measure(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    let kinds = tools.there(&[Kind::Lameduck, Kind::Bare, Kind::Auto, Kind::Axum, Kind::Go]);
    let rounds = rounds.unwrap_or(ROUNDS);
    for (past, title) in [
        (Past::OneRequest, "bytes per idle connection after one request, at 10,000"),
        (Past::Silent, "bytes per idle connection that never spoke, at 10,000"),
    ] {
        let values = alternate(title, rounds, &kinds, |kind| {
            per_connection(kind, past).map_err(|error| format!("{}: {error}", kind.name()))
        })?;
        let columns = ["", "resident bytes, median", "range", "lameduck / this"];
        let mut table = Table::new(format!("Memory: {title}"), &columns);
        let ours = Summary::of(&values[0].1).median();
        let mut figures = Map::new();
        for (kind, values) in &values {
            let summary = Summary::of(values);
            let (low, high) = (summary.quantile(0.0), summary.quantile(1.0));
            table.row(vec![
                kind.name().to_owned(),
                thousands(summary.median()),
                format!("{} to {}", thousands(low), thousands(high)),
                format!("{:.2}", ours / summary.median()),
            ]);
            figures.insert(kind.name().to_owned(), json!(values));
        }
        results.add(title, &table, Value::Object(figures));
        let axum = values.iter().find(|(kind, _)| *kind == Kind::Axum);
        if past == Past::OneRequest
            && let Some((kind, values)) = axum
        {
            let what = format!("{title}: bytes to {}'s", kind.name());
            results.at_most(&what, ours / Summary::of(values).median(), 1.0);
        }
    }
    Ok(())
}
