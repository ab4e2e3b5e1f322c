//! The examples as real processes, stopped under load, against the real Redis, NATS and PostgreSQL, and against sockets
//! that play a collector, an upstream, a gRPC client.
//!
//! Without one of the programs its cases are counted as ignored, with the package's name; on the CI machines (`CI=true`)
//! they fail instead.

#![allow(missing_docs, reason = "a test program")]

mod nats;
mod opentelemetry;
mod program;
mod redis;
mod reqwest;
mod sqlx;
mod tonic;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = [
        nats::trials(),
        opentelemetry::trials(),
        redis::trials(),
        reqwest::trials(),
        sqlx::trials(),
        tonic::trials(),
    ];
    let trials = trials.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
