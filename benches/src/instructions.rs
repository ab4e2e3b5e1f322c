//! Instructions per request: a server under callgrind, one worker, two numbers of requests; the difference of the two
//! totals is theirs alone.
//!
//! What makes it repeat within 2 per cent, and within 0.2 on a kept connection:
//! 1. Fresh connections come [`BATCH`] at once, their requests sent before the server looks. One at a time, chance
//!    decides whether a request is there when its connection is first polled, at some 4,000 instructions a miss.
//! 2. glibc copies more than some 2 KB by `rep movsb`, and callgrind counts it as one instruction per byte. hyper-util's
//!    auto server makes hyper grow a buffer of 8 KB on each connection, and whether realloc(3) copies it is chance: so
//!    [`VARIABLES`] has such copies made by ordinary instructions.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lameduck_testkit::{Signal, pause};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::h2load;
use crate::kind::Kind;
use crate::load::{LAST_REQUEST, REQUEST, is_whole};
use crate::progress::alternate;
use crate::results::Results;
use crate::summary::Summary;
use crate::table::{Table, thousands};
use crate::tools::Tools;

const ROUNDS: usize = 3;
const FEW: usize = 500;
const MANY: usize = 1500;
const BATCH: usize = 50;
const STREAMS: usize = 16;

/// As many as a small service has.
const ROUTES: usize = 8;
/// Their number matters to `axum::serve`: it rebuilds the router for each connection.
const NUMBERS_OF_ROUTES: [usize; 3] = [3, 8, 20];

const VARIABLES: [(&str, &str); 2] = [
    ("TOKIO_WORKER_THREADS", "1"),
    ("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff"),
];

/// How the requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Kept,
    /// One connection per request; the request says `Connection: close`, so the server closes first.
    ServerCloses,
    /// The same with a client that closes when it has its answer.
    ClientCloses,
    /// One HTTP/2 connection with [`STREAMS`] at a time, by h2load.
    Http2,
}

/// A limit that `check` asserts.
struct Target {
    manner: Manner,
    than: Kind,
    at_most: f64,
}

const TARGETS: [Target; 6] = [
    Target { manner: Manner::Kept, than: Kind::Auto, at_most: 1.05 },
    Target { manner: Manner::Kept, than: Kind::Axum, at_most: 1.05 },
    Target { manner: Manner::ServerCloses, than: Kind::Auto, at_most: 1.03 },
    Target { manner: Manner::ServerCloses, than: Kind::Axum, at_most: 0.60 },
    Target { manner: Manner::ClientCloses, than: Kind::Auto, at_most: 1.03 },
    Target { manner: Manner::ClientCloses, than: Kind::Axum, at_most: 0.60 },
];

impl Manner {
    fn name(self) -> &'static str {
        match self {
            Manner::Kept => "kept connection",
            Manner::ServerCloses => "connection per request, `Connection: close`",
            Manner::ClientCloses => "connection per request, the client closes",
            Manner::Http2 => "HTTP/2, one connection, 16 streams at a time",
        }
    }

    fn send(self, to: SocketAddr, requests: usize) -> Result<(), Failure> {
        match self {
            Manner::Kept => {
                let mut stream = TcpStream::connect(to)?;
                for _ in 0..requests {
                    stream.write_all(REQUEST)?;
                    read_answer(&mut stream)?;
                }
            }
            Manner::ServerCloses => {
                for _ in 0..requests / BATCH {
                    for mut stream in batch(to, LAST_REQUEST)? {
                        read_answer(&mut stream)?;
                        if stream.read(&mut [0; 1])? != 0 {
                            return Err("the server sent more than its answer".into());
                        }
                    }
                }
            }
            Manner::ClientCloses => {
                for _ in 0..requests / BATCH {
                    for mut stream in batch(to, REQUEST)? {
                        read_answer(&mut stream)?;
                    }
                }
            }
            Manner::Http2 => {
                h2load::run(to, requests, 1, STREAMS)?;
            }
        }
        Ok(())
    }
}

fn batch(to: SocketAddr, request: &[u8]) -> Result<Vec<TcpStream>, Failure> {
    let streams: std::io::Result<Vec<TcpStream>> =
        (0..BATCH).map(|_| TcpStream::connect(to)).collect();
    let mut streams = streams?;
    for stream in &mut streams {
        stream.write_all(request)?;
    }
    Ok(streams)
}

fn read_answer(stream: &mut TcpStream) -> Result<(), Failure> {
    let mut answer = [0; 1024];
    let mut length = 0;
    while !is_whole(&answer[..length])? {
        match stream.read(&mut answer[length..])? {
            0 => return Err("the server closed before its answer was whole".into()),
            count => length += count,
        }
    }
    Ok(())
}

/// All instructions of one run.
fn total(kind: Kind, manner: Manner, routes: usize, requests: usize) -> Result<f64, Failure> {
    let routes = routes.to_string();
    let mut variables = VARIABLES.to_vec();
    variables.push(("ROUTES", &routes));
    let by = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"].map(Into::into);
    let server = kind.start_under(&by, &variables);
    // What is done once only, on the first requests, is in both totals anyhow; this keeps it out of a batch.
    manner.send(server.addr(), BATCH)?;
    manner.send(server.addr(), requests)?;
    // Until the last connections are gone from the server's side too.
    pause(Duration::from_millis(200));
    server.signal(Signal::TERM);
    let exit = server.wait_exit(Duration::from_secs(20));
    let total = exit.stderr.lines().find_map(|line| line.split_once("Collected : "));
    let total = total.and_then(|(_, number)| number.trim().parse().ok());
    total.ok_or_else(|| format!("valgrind printed no total:\n{}", exit.stderr).into())
}

fn per_request(kind: Kind, manner: Manner, routes: usize) -> Result<f64, Failure> {
    let many = total(kind, manner, routes, MANY)?;
    let few = total(kind, manner, routes, FEW)?;
    Ok((many - few) / (MANY - FEW) as f64)
}

type Found = Vec<(Manner, Vec<(Kind, f64)>)>;

fn found(
    manners: &[Manner],
    kinds: &[Kind],
    rounds: usize,
    results: &mut Results,
) -> Result<Found, Failure> {
    let mut found = Vec::new();
    let columns = ["", "instructions per request", "of its range", "lameduck / this"];
    for &manner in manners {
        let mut table =
            Table::new(format!("Instructions per request: {}", manner.name()), &columns);
        let kinds: Vec<Kind> = kinds
            .iter()
            .map(|&kind| match (kind, manner) {
                (Kind::Bare, Manner::Http2) => Kind::BareHttp2,
                _ => kind,
            })
            .collect();
        let values =
            alternate(manner.name(), rounds, &kinds, |kind| per_request(kind, manner, ROUTES))?;
        let medians: Vec<(Kind, f64)> =
            values.iter().map(|(kind, values)| (*kind, Summary::of(values).median())).collect();
        for ((kind, values), (_, median)) in values.iter().zip(&medians) {
            let summary = Summary::of(values);
            let (low, high) = (summary.quantile(0.0), summary.quantile(1.0));
            table.row(vec![
                kind.name().to_owned(),
                thousands(*median),
                format!("{} to {}", thousands(low), thousands(high)),
                format!("{:.3}", medians[0].1 / median),
            ]);
        }
        let rows = values.iter().map(|(kind, values)| (kind.name().to_owned(), json!(values)));
        let rows: Map<String, Value> = rows.collect();
        results.add(&format!("instructions: {}", manner.name()), &table, Value::Object(rows));
        found.push((manner, medians));
    }
    Ok(found)
}

/// Every manner and server.
pub(crate) fn measure(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    if !tools.valgrind {
        results.left_out("instructions: install valgrind");
        return Ok(());
    }
    let kinds = [Kind::Lameduck, Kind::Bare, Kind::Auto, Kind::Axum, Kind::AxumMade];
    let mut manners = vec![Manner::Kept, Manner::ServerCloses, Manner::ClientCloses];
    match tools.h2load {
        true => manners.push(Manner::Http2),
        false => results.left_out("instructions over HTTP/2: install nghttp2-client"),
    }
    let rounds = rounds.unwrap_or(ROUNDS);
    found(&manners, &kinds, rounds, results)?;
    by_routes(&[Kind::Lameduck, Kind::Auto, Kind::Axum, Kind::AxumMade], rounds, results)
}

/// What the number of routes does to a connection per request.
fn by_routes(kinds: &[Kind], rounds: usize, results: &mut Results) -> Result<(), Failure> {
    let title =
        "Instructions per request by number of routes: connection per request, `Connection: close`";
    let names = NUMBERS_OF_ROUTES.map(|routes| format!("{routes} routes"));
    let columns: Vec<&str> = std::iter::once("").chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(title, &columns);
    let values = alternate("number of routes", rounds, kinds, |kind| {
        let all = NUMBERS_OF_ROUTES.map(|routes| per_request(kind, Manner::ServerCloses, routes));
        all.into_iter().collect::<Result<Vec<f64>, Failure>>()
    })?;
    let mut figures = Map::new();
    for (kind, values) in &values {
        let medians = (0..NUMBERS_OF_ROUTES.len()).map(|place| {
            let of_place: Vec<f64> = values.iter().map(|round| round[place]).collect();
            thousands(Summary::of(&of_place).median())
        });
        table.row(std::iter::once(kind.name().to_owned()).chain(medians).collect());
        figures.insert(kind.name().to_owned(), json!(values));
    }
    results.add("instructions by number of routes", &table, Value::Object(figures));
    Ok(())
}

/// Only what the targets need, and each compared with it.
pub(crate) fn check(
    tools: &Tools,
    rounds: Option<usize>,
    results: &mut Results,
) -> Result<(), Failure> {
    if !tools.valgrind {
        results.left_out("check: install valgrind");
        return Ok(());
    }
    let kinds = [Kind::Lameduck, Kind::Auto, Kind::Axum];
    let manners = [Manner::Kept, Manner::ServerCloses, Manner::ClientCloses];
    let found = found(&manners, &kinds, rounds.unwrap_or(ROUNDS), results)?;
    for target in TARGETS {
        let of = |wanted: Kind| {
            let (_, medians) = found.iter().find(|(manner, _)| *manner == target.manner)?;
            medians.iter().find(|(kind, _)| *kind == wanted).map(|(_, median)| *median)
        };
        let (Some(ours), Some(theirs)) = (of(Kind::Lameduck), of(target.than)) else {
            return Err("a target has no measurement".into());
        };
        let what = format!("{}: instructions to {}'s", target.manner.name(), target.than.name());
        results.at_most(&what, ours / theirs, target.at_most);
    }
    Ok(())
}
