//! The command `lameduck`, for servers in any language. `lameduck probe` proves from outside that a server stops without
//! losing a request; `lameduck run` replaces it without refusing a connection.

mod probe;
mod run;

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
    /// Hold a server's sockets, and replace the server on SIGHUP or SIGUSR2 without refusing a connection
    Run(run::Arguments),
}

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    if words.next_if(|word| word == lameduck_run::STEP).is_some() {
        return lameduck_run::step(words);
    }
    match Arguments::parse().command {
        Command::Probe(arguments) => probe::probe(&arguments),
        Command::Run(arguments) => run::run(&arguments),
    }
}
