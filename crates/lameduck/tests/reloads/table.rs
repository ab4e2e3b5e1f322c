//! The tables, and where they go.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use lameduck_testkit::{Latency, Reloaded};

const BEGIN: &str = "<!-- reloads:begin -->";
const END: &str = "<!-- reloads:end -->";

/// One server at one distance.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) how: &'static str,
    pub(crate) reloaded: Reloaded,
}

/// What all servers came to at one distance.
pub(crate) fn table(round_trip: Duration, rows: &mut [Row]) -> String {
    let mut text = match round_trip.is_zero() {
        true => "On loopback:\n\n".to_owned(),
        false => format!("{} ms of round trip away:\n\n", round_trip.as_millis()),
    };
    text.push_str(
        "| server | reloaded by | requests | lost | of them reset | cut | refused | reconnects | idle alive | \
         p99.9 ms quiet | p99.9 ms reloading | old processes left |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for Row { name, how, reloaded: Reloaded { crowd, left_behind } } in rows {
        let all = crowd.all();
        let mut p999 = |of: fn(&mut lameduck_testkit::CrowdTally) -> &mut Latency| {
            of(crowd).within(0.999).as_secs_f64() * 1e3
        };
        let quiet = p999(|crowd| &mut crowd.kept_took.quiet);
        let disturbed = p999(|crowd| &mut crowd.kept_took.disturbed);
        let _ = writeln!(
            text,
            "| {name} | {how} | {} | {} | {} | {} | {} | {} | {} of {} | {quiet:.1} | {disturbed:.1} | {left_behind} |",
            all.requests(),
            all.lost,
            all.reset,
            all.cut,
            all.refused,
            all.reconnects,
            crowd.idle.alive,
            crowd.idle.of,
        );
    }
    text
}

/// Puts `text` between the marks of a document, or behind what is there if it has none; makes it if it isn't there.
///
/// # Errors
/// It could not be read or written, or has one of the marks alone.
pub(crate) fn put(path: &Path, text: &str) -> Result<(), String> {
    let old = match std::fs::read_to_string(path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{} can't be read: {error}", path.display())),
    };
    let new = between(&old, text).map_err(|what| format!("{}: {what}", path.display()))?;
    std::fs::write(path, new)
        .map_err(|error| format!("{} can't be written: {error}", path.display()))
}

fn between(old: &str, text: &str) -> Result<String, String> {
    let section = format!("{BEGIN}\n{text}{END}");
    match (old.find(BEGIN), old.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            Ok([&old[..begin], &section, &old[end + END.len()..]].concat())
        }
        (None, None) => {
            let gap = if old.is_empty() { "" } else { "\n" };
            Ok(format!("{old}{gap}{section}\n"))
        }
        _ => Err(format!("{BEGIN} and {END} belong together, in this order")),
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, between};

    #[test]
    fn what_lies_between_the_marks_is_replaced_and_nothing_else() {
        let section = format!("{BEGIN}\nnew\n{END}");
        assert_eq!(between("", "new\n"), Ok(format!("{section}\n")));
        assert_eq!(between("# Page\n", "new\n"), Ok(format!("# Page\n\n{section}\n")));
        let old = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(between(&old, "new\n"), Ok(format!("a\n{section}\nb\n")));
    }

    #[test]
    fn one_mark_alone_is_an_error() {
        for old in [BEGIN.to_owned(), END.to_owned(), format!("{END}\n{BEGIN}")] {
            assert!(between(&old, "new\n").is_err(), "{old}");
        }
    }
}
