//! The command `lameduck`. `lameduck probe` proves from outside that a server, in any language, stops without losing a
//! request.

mod probe;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "lameduck",
    version,
    about = "Stop and replace web services without losing a request"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a server again and again, load it, signal it, and judge every request by what went over the wire
    Probe(probe::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Probe(arguments) => probe::probe(&arguments),
    }
}
