//! What all cases have in common: how often, the server, and what its processes said.

use std::time::Duration;

use lameduck_testkit::{Generations, ServerCommand};
use serde_json::Value;

use crate::target::{User, on_loopback};

/// The longest that a restart may take on any machine.
pub(crate) const LONGEST: Duration = Duration::from_secs(20);

/// How many restarts a case makes, if `LAMEDUCK_RESTARTS` says nothing else.
const RESTARTS: u32 = 10;

pub(crate) fn restarts() -> u32 {
    number("LAMEDUCK_RESTARTS", RESTARTS)
}

pub(crate) fn number(name: &str, usual: u32) -> u32 {
    std::env::var(name).map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is no number; write it like {name}=20"))
    })
}

/// The target, whose idle connections live longer than any run.
pub(crate) fn command(user: User) -> ServerCommand {
    on_loopback(user).env("IDLE_MS", "600000").lifetime(Duration::from_secs(3600))
}

pub(crate) fn start(command: ServerCommand) -> Generations {
    let server = command.start();
    server.ready();
    Generations::of(server)
}

/// Ends the last process; every one of them must have said that its end was clean, and that so many restarts were made.
/// Gives the reports of the predecessors.
///
/// # Errors
/// What is not so.
pub(crate) fn end(mut generations: Generations) -> Result<Vec<Value>, String> {
    let mut reports = generations.stop(LONGEST)?;
    let expected = generations.restarts() as usize + 1;
    if reports.len() != expected {
        let transcript = generations.server().transcript();
        return Err(format!("{} reports of {expected} processes\n{transcript}", reports.len()));
    }
    if let Some(report) = reports.iter().find(|report| report["outcome"] != "clean") {
        return Err(format!("a process did not end clean: {report}"));
    }
    reports.pop();
    Ok(reports)
}

/// Connections that predecessors passed on.
pub(crate) fn passed_on(reports: &[Value]) -> u64 {
    reports.iter().filter_map(|report| report["connections"]["passed_on"].as_u64()).sum()
}
