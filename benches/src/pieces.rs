//! What it costs to write two pieces, the head of a response and its body: as a list, or copied into one. The limit in
//! `crates/lameduck/src/sys/guarded.rs` rests on it.

use std::io::{IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::Failure;
use crate::results::Results;
use crate::summary::Summary;
use crate::table::Table;

const ROUNDS: usize = 15;
const WRITES: u32 = 5_000;
const HEAD: [u8; 135] = [b'h'; 135];
const BODIES: [usize; 7] = [2, 500, 1_000, 2_000, 4_000, 8_000, 16_000];
const LARGEST: usize = 16 * 1024;

/// Microseconds per write by `write`, which gets the pieces one after the other to the same peer, who reads each.
fn timed(
    ends: &mut (TcpStream, TcpStream),
    body: &[u8],
    mut write: impl FnMut(&mut TcpStream, &[u8]) -> std::io::Result<usize>,
) -> Result<f64, Failure> {
    let whole = HEAD.len() + body.len();
    let mut read = vec![0; whole];
    let mut took = Duration::ZERO;
    for _ in 0..WRITES {
        let began = Instant::now();
        let written = write(&mut ends.0, body)?;
        took += began.elapsed();
        if written != whole {
            return Err("a write on loopback was cut short".into());
        }
        ends.1.read_exact(&mut read)?;
    }
    Ok(took.as_secs_f64() * 1e6 / f64::from(WRITES))
}

fn as_a_list(to: &mut TcpStream, body: &[u8]) -> std::io::Result<usize> {
    to.write_vectored(&[IoSlice::new(&HEAD), IoSlice::new(body)])
}

fn copied(one: &mut [u8], to: &mut TcpStream, body: &[u8]) -> std::io::Result<usize> {
    let whole = HEAD.len() + body.len();
    one[..HEAD.len()].copy_from_slice(&HEAD);
    one[HEAD.len()..whole].copy_from_slice(body);
    to.write(&one[..whole])
}

/// Every size, both ways alternating.
pub(crate) fn measure(rounds: Option<usize>, results: &mut Results) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut ends = (TcpStream::connect(listener.local_addr()?)?, listener.accept()?.0);
    ends.0.set_nodelay(true)?;
    let title = format!("A head of {} bytes and a body, {WRITES} writes", HEAD.len());
    let columns = ["bytes of the body", "as a list, µs", "copied into one, µs", "saved, µs"];
    let mut table = Table::new(title, &columns);
    let mut figures = Map::new();
    let mut memory = vec![0; LARGEST];
    for size in BODIES {
        let body = vec![b'b'; size];
        let (mut list, mut one) = (Vec::new(), Vec::new());
        for _ in 0..rounds.unwrap_or(ROUNDS) {
            list.push(timed(&mut ends, &body, as_a_list)?);
            one.push(timed(&mut ends, &body, |to, body| copied(&mut memory, to, body))?);
        }
        let (of_list, of_one) = (Summary::of(&list).median(), Summary::of(&one).median());
        table.row(vec![
            size.to_string(),
            format!("{of_list:.2}"),
            format!("{of_one:.2}"),
            format!("{:.2}", of_list - of_one),
        ]);
        figures.insert(size.to_string(), json!({ "as a list": list, "copied": one }));
    }
    results.add("pieces", &table, Value::Object(figures));
    Ok(())
}
