//! `lameduck probe compare`: servers against cases.

use std::path::{Path, PathBuf};

use clap::Args;
use lameduck_probe::report::{Choice, Layout, Run, compare};

/// The options of `lameduck probe compare`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write the table as Markdown
    #[arg(long)]
    markdown: bool,
    /// Take files of one name for runs of one server: the worst verdict of each case counts
    #[arg(long)]
    by_name: bool,
    /// Show only this group or case; may be given more than once
    #[arg(long, value_name = "GROUP|ID")]
    only: Vec<String>,
    /// What `lameduck probe --json` has written
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The table, and under it who the servers are.
pub(super) fn table(arguments: &Arguments) -> Result<String, String> {
    let runs: Vec<_> = arguments.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let layout = if arguments.markdown { Layout::Markdown } else { Layout::Text };
    let choice = Choice { by_name: arguments.by_name, only: arguments.only.clone() };
    if let Some(unknown) = choice.unknown(&runs) {
        return Err(format!("--only {unknown}: these files have no such group or case"));
    }
    Ok(compare(&runs, &choice, layout))
}

fn read(path: &Path) -> Result<Run, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Run::read(path, &text).map_err(|error| error.to_string())
}
