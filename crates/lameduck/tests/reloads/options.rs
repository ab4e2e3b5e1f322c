//! What the comparison of reloads is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use crate::contender::Contender;
use crate::span::span;

pub(crate) const USAGE: &str =
    "reloads [--reloads N] [--every TIME] [--rtt TIME].. [--docs FILE] [SERVER]..
  --reloads N    how often each server is reloaded; 15 if nothing is said
  --every TIME   how far apart; 500ms if nothing is said
  --rtt TIME     a round trip between clients and server, 0ms for none; 0ms and 40ms if nothing is said
  --docs FILE    puts the tables between the marks of that document, too
  SERVER         nginx, haproxy, haproxy-idle, caddy, lameduck; all of them if nothing is said";

/// Each server is reloaded so often at each distance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) reloads: u32,
    pub(crate) every: Duration,
    pub(crate) round_trips: Vec<Duration>,
    pub(crate) docs: Option<PathBuf>,
    pub(crate) contenders: Vec<Contender>,
}

impl Options {
    /// # Errors
    /// What cannot be read, in words.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            reloads: 15,
            every: Duration::from_millis(500),
            round_trips: Vec::new(),
            docs: None,
            contenders: Vec::new(),
        };
        let mut words = words;
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                let contender = Contender::named(&word);
                options.contenders.push(contender.ok_or_else(|| format!("{word} is no server"))?);
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let wrong = || format!("{word} {value:?} cannot be read");
            match word.as_str() {
                "--reloads" => options.reloads = value.parse().map_err(|_| wrong())?,
                "--every" => options.every = span(&value).ok_or_else(wrong)?,
                "--rtt" => options.round_trips.push(span(&value).ok_or_else(wrong)?),
                "--docs" => options.docs = Some(PathBuf::from(value)),
                _ => return Err(format!("{word} is no option of this program")),
            }
        }
        if options.round_trips.is_empty() {
            options.round_trips = vec![Duration::ZERO, Duration::from_millis(40)];
        }
        if options.contenders.is_empty() {
            options.contenders = Contender::ALL.to_vec();
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn all_servers_near_and_far_unless_told_otherwise() {
        let usual = read("").expect("nothing is wrong");
        assert_eq!((usual.reloads, usual.contenders.len()), (15, Contender::ALL.len()));
        assert_eq!(usual.round_trips, [Duration::ZERO, Duration::from_millis(40)]);
        let some = read("--reloads 3 nginx --rtt 20ms caddy").expect("nothing is wrong");
        assert_eq!((some.reloads, some.round_trips), (3, vec![Duration::from_millis(20)]));
        assert_eq!(some.contenders, [Contender::Nginx, Contender::Caddy]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (line, named) in [
            ("--reloads many", "--reloads"),
            ("--rtt 40", "--rtt"),
            ("--docs", "--docs"),
            ("-x 1", "-x"),
            ("apache", "apache"),
        ] {
            assert!(read(line).is_err_and(|error| error.starts_with(named)), "{line}");
        }
    }
}
