//! `lameduck probe`: options, progress, the table, exit codes.
//!
//! Exit codes: 0 all that ran passed; 1 a case failed; 2 misuse, nothing ran, or a case could not be run; 128 + n
//! ended by signal n, with every server killed.

mod compare;
mod interrupt;
mod parse;
mod progress;

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lameduck_probe::report::{Paint, Score, explain, html, json, junit, table};
use lameduck_probe::{Case, CaseResult, Routes, ServerCommand, Setup, Signal, all_cases, run};
use tokio::sync::mpsc::unbounded_channel;

const MISUSE: u8 = 2;

/// The options of `lameduck probe`.
#[derive(Debug, Args)]
#[command(
    after_help = "The server is told its port by the variable PORT, and by {port} in the command and in --ready; {port2} is a\n\
    second free port. It is started anew for each case.\n\n\
    Exit codes: 0 all passed; 1 a case failed; 2 misuse, nothing ran, or a case could not be run."
)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// The signal that stops the server
    #[arg(long, default_value = "TERM", value_parser = parse::signal)]
    signal: Signal,
    /// How long the server takes at most to stop, by its own configuration
    #[arg(long, default_value = "5s", value_parser = parse::duration)]
    grace: Duration,
    /// A URL that says 200 when the server is ready, such as http://127.0.0.1:{port}/readyz
    #[arg(long, value_name = "URL", value_parser = parse::url)]
    ready: Option<String>,
    /// Only this group or case; may be given more than once
    #[arg(long, value_name = "GROUP|ID")]
    only: Vec<String>,
    /// The round trip of clients that are far away
    #[arg(long, default_value = "40ms", value_parser = parse::duration)]
    rtt: Duration,
    /// Where a route is, such as sleep=/slow?seconds={s}; may be given more than once
    #[arg(long, value_name = "NAME=PATH")]
    map: Vec<String>,
    /// How long the server may take to start
    #[arg(long, default_value = "30s", value_parser = parse::duration)]
    start_limit: Duration,
    /// Write everything that was seen to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write one self-contained page to this file: the verdicts, and a timeline of each case
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the verdicts to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Explain the cases, and run none
    #[arg(long)]
    list: bool,
    /// The server's command line
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Hold several servers against the cases, from the files of their runs (--json)
    Compare(compare::Arguments),
}

/// Does what the arguments ask for.
pub(crate) fn probe(arguments: &Arguments) -> ExitCode {
    match attempt(arguments) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("lameduck probe: {why}");
            ExitCode::from(MISUSE)
        }
    }
}

fn attempt(arguments: &Arguments) -> Result<ExitCode, String> {
    if let Some(Action::Compare(files)) = &arguments.action {
        print(&compare::table(files)?);
        return Ok(ExitCode::SUCCESS);
    }
    let cases = chosen(&arguments.only)?;
    if arguments.list {
        let text: Vec<_> = cases.iter().map(|case| explain(case)).collect();
        print(&format!("{}\n{} cases\n", text.join("\n"), cases.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut routes = Routes::default();
    for text in &arguments.map {
        routes.map(text).map_err(|error| error.to_string())?;
    }
    let command = ServerCommand::new(arguments.command.clone(), arguments.ready.clone())
        .ok_or("which server? Write its command behind `--`: lameduck probe -- ./server")?;
    let setup = Arc::new(Setup {
        command,
        routes,
        signal: arguments.signal,
        grace: arguments.grace,
        rtt: arguments.rtt,
        start_limit: arguments.start_limit,
    });
    // Before the run, so that half a minute is not spent on what can't be written.
    let mut json_file = created(arguments.json.as_deref())?;
    let mut html_file = created(arguments.html.as_deref())?;
    let mut junit_file = created(arguments.junit.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let results = match runtime.block_on(run_or_interrupt(&setup, &cases))? {
        Ended::Results(results) => results,
        Ended::Interrupted(signal) => {
            eprintln!("lameduck probe: ended by signal {signal}; its servers are killed");
            return Ok(ExitCode::from(128 + signal));
        }
    };
    if let Some(file) = &mut json_file {
        let text = json(&setup, &results).map_err(|error| error.to_string())?;
        file.write_all(text.as_bytes()).map_err(|error| format!("--json: {error}"))?;
    }
    let now = Timestamp::now();
    if let Some(file) = &mut html_file {
        let text = html(&setup, &results, &now.strftime("%Y-%m-%d %H:%M UTC").to_string());
        file.write_all(text.as_bytes()).map_err(|error| format!("--html: {error}"))?;
    }
    if let Some(file) = &mut junit_file {
        let text = junit(&setup, &results, &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        file.write_all(text.as_bytes()).map_err(|error| format!("--junit: {error}"))?;
    }
    print(&table(&results, paint()));
    Ok(ExitCode::from(Score::of(&results).exit_code()))
}

fn created(path: Option<&Path>) -> Result<Option<File>, String> {
    let create =
        |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    path.map(create).transpose()
}

enum Ended {
    Results(Vec<CaseResult>),
    Interrupted(u8),
}

async fn run_or_interrupt(setup: &Arc<Setup>, cases: &[&'static Case]) -> Result<Ended, String> {
    let (sender, receiver) = unbounded_channel();
    let interrupted =
        interrupt::interrupted().map_err(|error| format!("no signal handlers: {error}"))?;
    let running = async {
        let results = run(setup, cases, &sender).await;
        // The progress ends with its sender.
        drop(sender);
        results
    };
    tokio::select! {
        (results, ()) = async { tokio::join!(running, progress::show(receiver, cases.len())) } => {
            results.map(Ended::Results).map_err(|error| error.to_string())
        }
        signal = interrupted => Ok(Ended::Interrupted(signal)),
    }
}

fn chosen(only: &[String]) -> Result<Vec<&'static Case>, String> {
    let all = all_cases();
    let matches = |case: &Case, word: &str| case.id == word || case.group() == word;
    if let Some(unknown) = only.iter().find(|word| !all.iter().any(|case| matches(case, word))) {
        let mut groups: Vec<_> = all.iter().map(|case| case.group()).collect();
        groups.dedup();
        return Err(format!(
            "--only {unknown}: there is no such group or case; the groups are {}",
            groups.join(", ")
        ));
    }
    Ok(all
        .into_iter()
        .filter(|case| only.is_empty() || only.iter().any(|word| matches(case, word)))
        .collect())
}

fn paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !refused { Paint::Colours } else { Paint::Plain }
}

/// A reader that has gone away (`| head`) is no reason to panic.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
