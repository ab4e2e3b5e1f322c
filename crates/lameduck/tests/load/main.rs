//! Stops under load: nothing lost, nothing cut, nothing reset, however the clients come and from however far.
//!
//! ```text
//! cargo build -p lameduck --all-features --example target    the server under test; `--test` alone doesn't build it
//! cargo test -p lameduck --all-features --test load          every case, 3 stops each
//! cargo test -p lameduck --all-features --test load fresh    the cases whose name holds `fresh`
//! scripts/measure-stop                                       20 stops each, as a table
//! ```
//! 1. Cases run one at a time: they measure, and a neighbour's load would be part of the measure.
//! 2. A case that needs root or a namespace and can't have it is ignored, and a line says why and what would allow it.
//!    With `CI=true` it fails.
//! 3. The same loads against servers that stop badly must show losses (`sensitivity.rs`), or they prove nothing.

mod descriptors;
mod fresh;
mod http2;
mod idle;
mod keep_alive;
mod load;
mod mix;
mod mixed;
mod need;
mod sensitivity;
mod slow;
mod stops;
mod target;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let needs = need::Needs::look();
    let trials = [
        fresh::trials(&needs),
        keep_alive::trials(&needs),
        idle::trials(&needs),
        slow::trials(&needs),
        mixed::trials(&needs),
        sensitivity::trials(&needs),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    target::clean_up();
    conclusion.exit_code()
}
