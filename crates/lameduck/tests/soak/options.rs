//! What the soak is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use crate::span::span;

pub(crate) const USAGE: &str = "soak [--for TIME] [--stops N] [--every TIME] [--json FILE]
  --for TIME    how long: 10m, 90s; 10m if neither this nor --stops is said
  --stops N     until so many processes were stopped; with --for, until both are done
  --every TIME  how long each service is under load before it is stopped: 500ms, 5s; 1s if nothing is said
  --json FILE   writes the result there, as JSON";

/// The end is reached when both are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) time: Duration,
    pub(crate) stops: usize,
    pub(crate) every: Duration,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    /// # Errors
    /// What cannot be read, in words.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut time, mut stops, mut every, mut json) = (None, None, None, None);
        let mut words = words;
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let wrong = || format!("{word} {value:?} cannot be read");
            match word.as_str() {
                "--for" => time = Some(span(&value).ok_or_else(wrong)?),
                "--stops" => stops = Some(value.parse().map_err(|_| wrong())?),
                "--every" => every = Some(span(&value).ok_or_else(wrong)?),
                "--json" => json = Some(PathBuf::from(value)),
                _ => return Err(format!("{word} is no option of this program")),
            }
        }
        let usual = if stops.is_some() { Duration::ZERO } else { Duration::from_secs(600) };
        Ok(Self {
            time: time.unwrap_or(usual),
            stops: stops.unwrap_or(0),
            every: every.unwrap_or(Duration::from_secs(1)),
            json,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn it_soaks_for_ten_minutes_unless_told_otherwise() {
        let usual = read("").expect("nothing is wrong");
        assert_eq!((usual.time, usual.stops), (Duration::from_secs(600), 0));
        let stops = read("--stops 500 --every 500ms").expect("nothing is wrong");
        assert_eq!((stops.time, stops.stops), (Duration::ZERO, 500));
        assert_eq!(stops.every, Duration::from_millis(500));
        let both = read("--for 2h --stops 3").expect("nothing is wrong");
        assert_eq!((both.time, both.stops), (Duration::from_secs(7200), 3));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (line, named) in [
            ("--for 10", "--for"),
            ("--stops many", "--stops"),
            ("--json", "--json"),
            ("-x 1", "-x"),
        ] {
            assert!(read(line).is_err_and(|error| error.starts_with(named)), "{line}");
        }
    }
}
