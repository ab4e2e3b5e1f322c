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

/// What the tables say, for who reads only them.
const ABOUT: &str = "\
`scripts/measure-reloads` puts each server under the same load and reloads it, again and again: 40 clients that keep
their connection and think for 0 to 10 ms, 10 with a connection for each request, 50 connections that are idle between a
first and a last request. Each server answers `OK`, runs as an ordinary user, is configured as its documentation says
([nginx](https://nginx.org/en/docs/control.html), [HAProxy](https://docs.haproxy.org/2.6/management.html#4),
[Caddy](https://caddyserver.com/docs/command-line#caddy-reload)), and has no idle limit or number of requests that would
end a connection during the run.

**Lost**: the request was sent, and no byte of a response came. **Reconnects**: a kept or idle connection had to be opened
again. **Old processes left**: those that still ran 2 s after the last reload. p99.9 is that of the kept connections,
for requests that began while nothing was done, and in the window after each order to reload; where other work shares
the machine these two columns say little.
";

/// Where and when.
fn machine() -> String {
    let date = std::process::Command::new("date").arg("+%F").output().map(|output| output.stdout);
    let date = date.map_or_else(|_| String::new(), |date| String::from_utf8_lossy(&date).into());
    let words = |path: &str, count| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
    };
    format!(
        "{ABOUT}\n{}, {} cores, Linux {}, load average {}, {} build:\n",
        date.trim(),
        std::thread::available_parallelism().map_or(0, usize::from),
        words("/proc/sys/kernel/osrelease", 1).split('-').next().unwrap_or_default(),
        words("/proc/loadavg", 3),
        if cfg!(debug_assertions) { "debug" } else { "optimised" },
    )
}
