//! What a case's restarts came to, for people and as a row of the table.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use lameduck_testkit::{CrowdTally, Latency};

/// Restarts of one kind.
pub(crate) struct Figures<'a> {
    pub(crate) name: &'a str,
    pub(crate) crowd: &'a mut CrowdTally,
    /// From the signal to the predecessor's end.
    pub(crate) took: Vec<Duration>,
    pub(crate) passed_on: u64,
}

impl Figures<'_> {
    /// A line for people; with `LAMEDUCK_FIGURES=path` a row of Markdown as well.
    ///
    /// # Errors
    /// The row can't be written.
    pub(crate) fn print(mut self) -> Result<(), String> {
        self.took.sort();
        let Self { name, crowd, took, passed_on } = self;
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let (median, longest) = (ms(took.get(took.len() / 2)), ms(took.last()));
        println!(
            "{name}: {} restarts, median {median:.0} ms, longest {longest:.0} ms, {passed_on} connections passed on\n\
             {crowd}\nkept: {}\nfresh: {}",
            took.len(),
            crowd.kept_took.summary(),
            crowd.fresh_took.summary(),
        );
        let Some(path) = std::env::var_os("LAMEDUCK_FIGURES") else { return Ok(()) };
        let all = crowd.all();
        let mut row = format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} of {} | {passed_on} | {median:.0} | {longest:.0} |",
            took.len(),
            all.requests(),
            all.lost,
            all.cut,
            all.refused,
            all.hung + all.bad + all.turned_away,
            all.reconnects,
            crowd.idle.alive,
            crowd.idle.of,
        );
        for latency in [&mut crowd.kept_took.quiet, &mut crowd.kept_took.disturbed] {
            let _ = write!(row, " {} |", times(latency));
        }
        row.push('\n');
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(row.as_bytes()))
            .map_err(|why| format!("{} (LAMEDUCK_FIGURES) can't be written: {why}", path.display()))
    }
}

/// p50, p99, p99.9 and the longest, in ms.
fn times(latency: &mut Latency) -> String {
    let times = [0.5, 0.99, 0.999, 1.0].map(|part| latency.within(part).as_secs_f64() * 1e3);
    times.map(|time| format!("{time:.1}")).join(", ")
}
