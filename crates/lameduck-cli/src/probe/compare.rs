//! `lameduck probe compare`: servers against cases.

use std::path::{Path, PathBuf};

use clap::Args;
use lameduck_probe::report::{Layout, Run, compare};

/// The options of `lameduck probe compare`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write the table as Markdown
    #[arg(long)]
    markdown: bool,
    /// What `lameduck probe --json` has written
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The table, and under it who the servers are.
pub(super) fn table(arguments: &Arguments) -> Result<String, String> {
    let runs: Vec<_> = arguments.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let layout = if arguments.markdown { Layout::Markdown } else { Layout::Text };
    Ok(compare(&runs, layout))
}

fn read(path: &Path) -> Result<Run, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Run::read(path, &text).map_err(|error| error.to_string())
}
