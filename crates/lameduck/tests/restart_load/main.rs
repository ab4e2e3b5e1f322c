//! Restarts under load: the seventh guarantee. Nobody outside sees one, however often they come and from however far.
//!
//! ```text
//! cargo build -p lameduck --example target --all-features     the server under test; `--test` alone doesn't build it
//! cargo test -p lameduck --all-features --test restart_load   every case, 10 restarts each
//! scripts/measure-restarts                                    200 restarts each, as a table
//! ```
//! 1. Cases run one at a time: they measure, and a neighbour's load would be part of the measure.
//! 2. Clients keep one connection for the whole run: a reconnect is a failure, and so is a wrong byte.
//! 3. Every old process must be gone, and its report clean.
//! 4. That this load finds what a restart loses is shown by reloads of other servers, in the testkit
//!    (`tests/installed/reloads.rs`).
//! 5. Times are printed; what is asserted of them leaves room for a busy machine.

mod case;
mod crashes;
#[path = "../load/descriptors.rs"]
mod descriptors;
mod figures;
mod idle;
#[path = "../load/need.rs"]
mod need;
mod restarts;
#[path = "../load/target.rs"]
#[allow(dead_code, reason = "the load tests use the rest of it")]
mod target;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let needs = need::Needs::look();
    let trials = [restarts::trials(&needs), idle::trials(&needs), crashes::trials(&needs)];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    target::clean_up();
    conclusion.exit_code()
}
