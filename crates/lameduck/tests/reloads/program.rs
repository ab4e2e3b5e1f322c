//! Reloads of nginx, HAProxy and Caddy, and restarts of lameduck, under the same load, in one run; `scripts/measure-reloads`
//! builds and runs it.
//!
//! 1. The load is [`lameduck_testkit::Crowd`]: 40 clients that keep their connection and think for 0 to 10 ms, 10 with a
//!    connection for each request, 50 idle connections. All ask for `/`, and every body is compared.
//! 2. How each server is configured, and by which page of its documentation, stands beside its type in the testkit.
//! 3. Servers take turns: one runs at a time.
//! 4. Exit code 0 says that it was measured, whatever came of it, and that lameduck harmed nobody.

mod contender;
mod lameduck;
mod options;
#[path = "../soak/span.rs"]
mod span;
mod table;
#[path = "../load/target.rs"]
#[allow(dead_code, reason = "the load tests use the rest of it")]
mod target;

use std::process::ExitCode;

use lameduck_testkit::Reloads;

use self::contender::Contender;
use self::options::{Options, USAGE};
use self::table::{Row, put, table};

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let measured = measure(&options);
    target::clean_up();
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether lameduck harmed nobody.
fn measure(options: &Options) -> Result<bool, String> {
    let mut unharmed = true;
    let mut text = machine();
    println!("{text}");
    for &round_trip in &options.round_trips {
        let reloads = Reloads { count: options.reloads, window: options.every / 2, round_trip };
        let mut rows = Vec::new();
        for &contender in &options.contenders {
            let mut server = contender.start().map_err(|missing| missing.to_string())?;
            let (name, how) = (server.name(), server.how());
            eprintln!("{name}, {} reloads, {} ms away", options.reloads, round_trip.as_millis());
            let reloaded = reloads.run(server.as_mut()).map_err(|why| format!("{name}: {why}"))?;
            if contender == Contender::Lameduck
                && let Err(why) = reloaded.crowd.unharmed()
            {
                eprintln!("{name}: {why}\n{}", server.server().transcript());
                unharmed = false;
            }
            rows.push(Row { name, how, reloaded });
        }
        let table = table(round_trip, &mut rows);
        println!("{table}");
        text = format!("{text}\n{table}");
    }
    if let Some(path) = &options.docs {
        put(path, &text)?;
    }
    Ok(unharmed)
}

/// Where and when.
fn machine() -> String {
    let words = |path: &str, count| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
    };
    format!(
        "{} cores, Linux {}, load average {}, {} build.\n",
        std::thread::available_parallelism().map_or(0, usize::from),
        words("/proc/sys/kernel/osrelease", 1),
        words("/proc/loadavg", 3),
        if cfg!(debug_assertions) { "debug" } else { "optimised" },
    )
}
