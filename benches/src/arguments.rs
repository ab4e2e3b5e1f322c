//! What the command line asks for.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: scripts/bench [PART..] [--rounds N] [--json FILE]

  instructions  instructions per request (valgrind)
  check         those of them that have a target
  throughput    requests per second and p99 over HTTP/1.1: 64 connections kept, one per request, and 1,000 at once
  http2         the same over HTTP/2 (h2load)
  memory        resident memory per idle connection, at 10,000
  beat          what a beat of a task costs, and 1,000 tasks that beat once a second
  pieces        writing a response in two pieces: as a list, or copied into one
  exit          from the signal to the exit with idle connections; from the last response to the exit
  all           everything but check (the default)

All but instructions and pieces have targets, which medians are to meet: one that is missed is named, and makes the exit
code 1.

  --rounds N    15 for throughput, http2 and pieces, 5 for beat, 3 for the others, if nothing is said
  --json FILE   every figure, of each round too";

/// A part of the benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Instructions,
    Check,
    Throughput,
    Http2,
    Memory,
    Exit,
    Beat,
    Pieces,
}

impl Part {
    /// As the command line says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Instructions => "instructions",
            Part::Check => "check",
            Part::Throughput => "throughput",
            Part::Http2 => "http2",
            Part::Memory => "memory",
            Part::Exit => "exit",
            Part::Beat => "beat",
            Part::Pieces => "pieces",
        }
    }
}

const ALL: [Part; 7] = [
    Part::Instructions,
    Part::Throughput,
    Part::Http2,
    Part::Memory,
    Part::Exit,
    Part::Beat,
    Part::Pieces,
];

/// A whole command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) parts: Vec<Part>,
    /// `None`: what each part takes by default.
    pub(crate) rounds: Option<usize>,
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
        let mut words = words.into_iter();
        let mut arguments = Arguments { parts: Vec::new(), rounds: None, json: None };
        while let Some(word) = words.next() {
            match word.as_str() {
                "instructions" => arguments.parts.push(Part::Instructions),
                "check" => arguments.parts.push(Part::Check),
                "throughput" => arguments.parts.push(Part::Throughput),
                "http2" => arguments.parts.push(Part::Http2),
                "memory" => arguments.parts.push(Part::Memory),
                "exit" => arguments.parts.push(Part::Exit),
                "beat" => arguments.parts.push(Part::Beat),
                "pieces" => arguments.parts.push(Part::Pieces),
                "all" => arguments.parts.extend(ALL),
                "--rounds" => {
                    let number = words.next().and_then(|word| word.parse().ok());
                    let number = number.filter(|&number| number > 0);
                    arguments.rounds = Some(number.ok_or("--rounds needs a number above 0")?);
                }
                "--json" => {
                    let file = words.next().ok_or("--json needs a file")?;
                    arguments.json = Some(file.into());
                }
                _ => return Err(format!("`{word}` is no part and no option")),
            }
        }
        if arguments.parts.is_empty() {
            arguments.parts.extend(ALL);
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_said_measures_everything_but_the_check() {
        let expected = Arguments { parts: ALL.to_vec(), rounds: None, json: None };
        assert_eq!(parse(""), Ok(expected));
    }

    #[test]
    fn parts_and_options_come_in_any_order() {
        let expected = Arguments {
            parts: vec![Part::Memory, Part::Exit],
            rounds: Some(7),
            json: Some("x.json".into()),
        };
        assert_eq!(parse("memory --rounds 7 exit --json x.json"), Ok(expected));
    }

    #[test]
    fn a_word_that_means_nothing_is_an_error_and_not_left_out() {
        assert!(parse("memroy").is_err());
        assert!(parse("--rounds 0").is_err());
        assert!(parse("--rounds").is_err());
        assert!(parse("--json").is_err());
    }
}
