//! Programs that are installed, not built: the real PostgreSQL, Redis, NATS, Chromium, nginx, HAProxy and Caddy. Each answers by its own
//! protocol, and leaves nothing behind.
//!
//! Without one of them its cases are counted as ignored, with the package's name; on the CI machines (`CI=true`) they
//! fail instead.

#![allow(missing_docs, reason = "a test program")]

mod chromium;
mod leftovers;
mod missing;
mod nats;
mod postgres;
mod redis;
mod reloads;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    if leftovers::start_and_wait_to_be_killed() {
        return ExitCode::FAILURE;
    }
    let trials = [
        chromium::trials(),
        leftovers::trials(),
        missing::trials(),
        nats::trials(),
        postgres::trials(),
        redis::trials(),
        reloads::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
