//! A service that is stopped and started in one process, hundreds of times: what a stop leaves behind piles up.

use std::time::Duration;

use lameduck_testkit::{Bounds, Certificate, Sample, Server, Tally, example, pause};
use serde::Deserialize;
use serde_json::Value;

use crate::LIFETIME;
use crate::clients::{answered, clients, unanswered};
use crate::lane::Lane;
use crate::part::{Part, Standing};
use crate::target::{IDLE_GRACE, with};

const NAMES: [&str; 2] = ["a stop within a process", "a stop within a process, TLS"];

/// It is looked at while no service runs: then it holds what the runtime does, and nothing else.
const BOUNDS: Bounds = Bounds { descriptors: 0, threads: 1, resident: 6 << 20 };

/// A line of the program `again`.
#[derive(Debug, Deserialize)]
struct Line {
    report: Value,
    holds: Sample,
}

impl Line {
    fn took(&self) -> Duration {
        Duration::from_secs_f64(self.report["took_ms"].as_f64().unwrap_or_default() / 1e3)
    }
}

pub(crate) fn run(lane: &Lane, every: Duration, tls: bool) -> Part {
    let certificate = tls.then(Certificate::new);
    let program = Server::command(example("again")).arg(every.as_millis().to_string()).port();
    let program = with(program, certificate.as_ref());
    let server = program.env("LAMEDUCK_IDLE_GRACE", IDLE_GRACE).lifetime(LIFETIME).start();
    server.ready();
    let loads = clients(server.addr(), certificate.as_ref());
    let mut lines = Vec::new();
    while !lane.is_over() && server.runs() {
        pause(Duration::from_secs(1));
        lines = read(&server.stdout());
        let holds = lines.last().map(|line| line.holds);
        let (stops, answered) = (lines.len(), answered(&loads));
        lane.say(Standing { stops, answered, failed: unclean(&lines).count() as u64, holds });
    }
    let mut faults: Vec<String> = unclean(&lines).map(|line| line.report.to_string()).collect();
    if !server.runs() {
        faults.push(server.transcript());
    }
    faults.extend(unanswered(&loads));
    // While it still serves: its end is no stop.
    loads.iter().for_each(|load| load.stop());
    let mut tally = Tally::default();
    loads.into_iter().for_each(|load| tally.add(&load.tally()));
    let took: Vec<Duration> = lines.iter().map(Line::took).collect();
    let samples: Vec<Sample> = lines.iter().map(|line| line.holds).collect();
    Part::new(NAMES[usize::from(tls)], &took, tally, faults).holding(&samples, &BOUNDS)
}

/// The whole lines so far.
fn read(text: &str) -> Vec<Line> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn unclean(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.report["outcome"] != "clean")
}
