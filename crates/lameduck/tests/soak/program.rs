//! The soak: services under a mixed load, stopped every moment, for as long as one says; `scripts/soak` builds and runs
//! it.
//!
//! Five parts, side by side, each with its clients (`clients.rs`), the last two once without and once with TLS:
//! - **a process per stop** (`processes.rs`): SIGTERM, exit code, the next process, every second one with TLS;
//! - **a stop within a process** (`restarts.rs`): a service that is stopped and started in a process that lives on;
//! - **one process** (`lasting.rs`) that serves all the time.
//!
//! 1. Every request has a verdict: nothing may be lost, cut, reset, hung or turned away, and every kind of client must have
//!    been answered. Clients that break off themselves judge nothing.
//! 2. Every stop must end clean.
//! 3. A process that lives on may not grow in descriptors, threads or memory; the rule is [`lameduck_testkit::Growth`]'s,
//!    the bounds stand beside each part.
//! 4. Exit code 0 says that all of that held.

mod clients;
#[path = "../load/http2.rs"]
mod http2;
mod lane;
mod lasting;
#[path = "../load/load.rs"]
mod load;
#[path = "../load/mix.rs"]
mod mix;
mod options;
mod part;
mod processes;
mod progress;
mod restarts;
mod span;
#[path = "../load/stops.rs"]
#[allow(dead_code, reason = "the load tests use the rest of it")]
mod stops;
mod table;
#[path = "../load/target.rs"]
#[allow(dead_code, reason = "the load tests run it as root too")]
mod target;

use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lameduck_testkit::pause;

use self::lane::Lane;
use self::options::{Options, USAGE};
use self::part::Part;
use self::progress::Progress;

/// When a server that lives on is killed in any case: later than any soak ends.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let every = options.every;
    let parts: [(Lane, JoinHandle<Part>); 5] = [
        start(move |lane| processes::run(lane, every)),
        start(move |lane| restarts::run(lane, every, false)),
        start(move |lane| restarts::run(lane, every, true)),
        start(move |lane| lasting::run(lane, false)),
        start(move |lane| lasting::run(lane, true)),
    ];
    let mut progress = Progress::new();
    loop {
        pause(Duration::from_secs(1));
        let standing = parts.each_ref().map(|(lane, _)| lane.standing());
        progress.show(began.elapsed(), &standing);
        // A part that panicked has said so.
        let broken = parts.iter().any(|(_, thread)| thread.is_finished());
        if broken || (began.elapsed() >= options.time && standing[0].stops >= options.stops) {
            break;
        }
    }
    progress.clear();
    parts.iter().for_each(|(lane, _)| lane.end());
    let took = began.elapsed();
    let ended: Vec<_> = parts.into_iter().map(|(_, thread)| thread.join()).collect();
    target::clean_up();
    let whole = ended.iter().all(Result::is_ok);
    let ended: Vec<Part> = ended.into_iter().filter_map(Result::ok).collect();
    print!("{}", table::table(took, &ended));
    if let Some(path) = &options.json
        && let Err(error) = std::fs::write(path, table::json(took, &ended))
    {
        eprintln!("error: {} cannot be written: {error}", path.display());
        return ExitCode::from(2);
    }
    if whole && ended.iter().all(|part| part.faults.is_empty()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A part on a thread of its own.
fn start(run: impl FnOnce(&Lane) -> Part + Send + 'static) -> (Lane, JoinHandle<Part>) {
    let lane = Lane::default();
    let own = lane.clone();
    (lane, thread::spawn(move || run(&own)))
}
