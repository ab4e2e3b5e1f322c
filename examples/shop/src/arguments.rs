//! What the command line asks for.

use std::ffi::OsString;

/// The text of `shop --help`.
pub const HELP: &str = "\
Wallets and purchases on SQLite: an example of lameduck.

Usage: shop          serve until a signal
       shop demo     stop a shop of its own under load, first by SIGTERM, then by SIGKILL, and say what was lost

Options:
  -h, --help    print this text

Environment:
  SHOP_ADDR             where to serve [default: 127.0.0.1:8080]
  DATABASE_URL          the SQLite file [default: sqlite:shop.db?mode=rwc]
  SHOP_PAYMENT_DELAY    the time between debit and item [default: 300ms]
  LAMEDUCK_ADMIN        where /readyz, /livez, /startupz and /metrics answer [default: nowhere]
  LAMEDUCK_LAME_DUCK    how long it goes on serving after SIGTERM [default: 5s]
  NO_COLOR              set to anything: no colours

Exit codes of the demo: 0 nothing lost and nothing torn by SIGTERM, 1 otherwise, 130 interrupted.
";

/// One way to run the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// Serve until a signal.
    Serve,
    /// Show what a stop under load loses.
    Demo,
    /// Print [`HELP`].
    Help,
}

/// A command line that means nothing to the shop.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown argument {0:?}; usage: shop [demo | --help]")]
pub struct UnknownArgument(String);

impl Arguments {
    /// Reads the arguments that follow the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UnknownArgument> {
        let mut arguments = arguments.into_iter();
        let Some(first) = arguments.next() else { return Ok(Self::Serve) };
        let chosen = match first.to_str() {
            Some("demo") => Self::Demo,
            Some("-h" | "--help") => return Ok(Self::Help),
            Some(_) | None => return Err(UnknownArgument(first.to_string_lossy().into_owned())),
        };
        match arguments.next() {
            None => Ok(chosen),
            Some(more) if more == "-h" || more == "--help" => Ok(Self::Help),
            Some(more) => Err(UnknownArgument(more.to_string_lossy().into_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, UnknownArgument> {
        Arguments::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn nothing_serves() {
        assert_eq!(parse(&[]), Ok(Arguments::Serve));
    }

    #[test]
    fn demo_and_help_are_understood() {
        assert_eq!(parse(&["demo"]), Ok(Arguments::Demo));
        assert_eq!(parse(&["--help"]), Ok(Arguments::Help));
        assert_eq!(parse(&["demo", "-h"]), Ok(Arguments::Help));
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        assert_eq!(parse(&["serve"]), Err(UnknownArgument("serve".into())));
        assert_eq!(parse(&["demo", "twice"]), Err(UnknownArgument("twice".into())));
    }
}
