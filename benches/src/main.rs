//! The driver of the benchmarks: starts the servers one after the other, loads them, and prints what came of it as
//! Markdown tables and as JSON. `scripts/bench` builds all it needs and runs it; `docs/performance.md` has results.
//!
//! - Every comparison alternates: each round measures every server once, each in a fresh process, and the next round
//!   goes through them backwards. Ratios are taken within a round.
//! - What cannot be measured here for want of a program is named, with the Debian package that has it, and the exit
//!   code says so: 0 all was measured, 1 a target was missed or a measurement failed, 2 usage, 3 a part was left out.

mod arguments;
mod burst;
mod exit;
mod h2load;
mod instructions;
mod kind;
mod load;
mod machine;
mod memory;
mod pieces;
mod progress;
mod results;
mod summary;
mod table;
mod tasks;
mod throughput;
mod tools;

use std::process::ExitCode;

use self::arguments::{Arguments, Part};
use self::results::Results;
use self::tools::Tools;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    match measure(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut results = Results::new(machine::describe());
    println!("{}\n", results.machine_line());
    let tools = Tools::find(&mut results);
    machine::raise_descriptors()?;
    let rounds = arguments.rounds;
    for part in &arguments.parts {
        let measured = match part {
            Part::Instructions => instructions::measure(&tools, rounds, &mut results),
            Part::Check => instructions::check(&tools, rounds, &mut results),
            Part::Throughput => throughput::http1(&tools, rounds, &mut results),
            Part::Http2 => throughput::http2(&tools, rounds, &mut results),
            Part::Memory => memory::measure(&tools, rounds, &mut results),
            Part::Exit => exit::measure(&tools, rounds, &mut results),
            Part::Beat => tasks::measure(rounds, &mut results),
            Part::Pieces => pieces::measure(rounds, &mut results),
        };
        // The other parts are worth having all the same.
        if let Err(error) = measured {
            results.failed(part.name(), &error.to_string());
        }
    }
    results.print_end();
    if let Some(file) = &arguments.json {
        std::fs::write(file, results.json())?;
    }
    Ok(results.code())
}
