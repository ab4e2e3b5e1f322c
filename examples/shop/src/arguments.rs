//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;

/// The text of `shop --help`.
pub const HELP: &str = "\
Wallets and purchases on SQLite or PostgreSQL: an example of lameduck.

Usage: shop [--tls-cert FILE --tls-key FILE | --tls-self-signed]    serve until a signal
       shop demo     stop a shop of its own under load, first by SIGTERM, then by SIGKILL, and say what was lost

Options:
  --tls-cert FILE      serve HTTPS with this certificate, and those of its issuers behind it (PEM); SIGHUP has it
                       and its key read again
  --tls-key FILE       its private key (PEM)
  --tls-self-signed    serve HTTPS with a certificate for localhost that this start makes: for trying it
  -h, --help           print this text

Environment:
  SHOP_ADDR             where to serve [default: 127.0.0.1:8080]
  DATABASE_URL          the SQLite file, or postgres://user:password@host/database [default: sqlite:shop.db?mode=rwc]
  PAYMENT_URL           the payment provider, an http:// address [default: a stand-in of the shop's own]
  SHOP_PAYMENT_DELAY    how long the stand-in takes, between debit and item [default: 300ms]
  SHOP_SETTLE_EVERY     how often recorded purchases are settled [default: 1m]
  NATS_URL              a NATS server with JetStream, whose orders are taken [default: none]
  LAMEDUCK_ADMIN        where /readyz, /livez, /startupz, /tasks and /metrics answer [default: nowhere]
  LAMEDUCK_LAME_DUCK    how long it goes on serving after SIGTERM [default: 5s]
  NO_COLOR              set to anything: no colours

Exit codes of the demo: 0 nothing lost and nothing torn by SIGTERM, 1 otherwise, 130 interrupted.
";

/// One way to run the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// Serve until a signal.
    Serve(Encryption),
    /// Show what a stop under load loses.
    Demo,
    /// Print [`HELP`].
    Help,
}

/// Whether the shop serves HTTPS, and with which certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// It serves HTTP.
    #[default]
    None,
    /// With one for localhost that it makes itself.
    SelfSigned,
    /// With one from PEM files.
    Files {
        /// The certificate.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// A command line that means nothing to the shop.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArguments {
    /// A word that it does not know.
    #[error(
        "unknown argument {0:?}; usage: shop [demo | --tls-cert FILE --tls-key FILE | --tls-self-signed | --help]"
    )]
    Unknown(String),
    /// One of two files.
    #[error(
        "--tls-cert and --tls-key belong together; write --tls-cert cert.pem --tls-key key.pem"
    )]
    HalfAPair,
    /// Files, and none.
    #[error(
        "--tls-self-signed makes its own certificate; leave out either it, or --tls-cert and --tls-key"
    )]
    TwoCertificates,
}

impl Arguments {
    /// Reads the arguments that follow the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, BadArguments> {
        let mut arguments = arguments.into_iter().peekable();
        let demo = arguments.next_if(|first| first == "demo").is_some();
        let (mut certificate, mut key, mut self_signed) = (None, None, false);
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("-h" | "--help") => return Ok(Self::Help),
                Some("--tls-cert") if !demo => {
                    certificate = Some(arguments.next().ok_or(BadArguments::HalfAPair)?);
                }
                Some("--tls-key") if !demo => {
                    key = Some(arguments.next().ok_or(BadArguments::HalfAPair)?);
                }
                Some("--tls-self-signed") if !demo => self_signed = true,
                Some(_) | None => {
                    return Err(BadArguments::Unknown(argument.to_string_lossy().into_owned()));
                }
            }
        }
        let encryption = match (certificate, key) {
            (None, None) if self_signed => Encryption::SelfSigned,
            (None, None) => Encryption::None,
            (Some(_), None) | (None, Some(_)) => return Err(BadArguments::HalfAPair),
            (Some(_), Some(_)) if self_signed => return Err(BadArguments::TwoCertificates),
            (Some(certificate), Some(key)) => {
                Encryption::Files { certificate: certificate.into(), key: key.into() }
            }
        };
        Ok(if demo { Self::Demo } else { Self::Serve(encryption) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, BadArguments> {
        Arguments::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn nothing_serves() {
        assert_eq!(parse(&[]), Ok(Arguments::Serve(Encryption::None)));
    }

    #[test]
    fn a_certificate_and_its_key_come_in_either_order_and_never_alone() {
        let pair = ["--tls-key", "k", "--tls-cert", "c"];
        let files = Encryption::Files { certificate: "c".into(), key: "k".into() };
        assert_eq!(parse(&pair), Ok(Arguments::Serve(files)));
        let own = Ok(Arguments::Serve(Encryption::SelfSigned));
        assert_eq!(parse(&["--tls-self-signed"]), own);
        for half in [&pair[..1], &pair[..2], &pair[..3], &pair[2..]] {
            assert_eq!(parse(half), Err(BadArguments::HalfAPair), "{half:?}");
        }
        let both = [&pair[..], &["--tls-self-signed"]].concat();
        assert_eq!(parse(&both), Err(BadArguments::TwoCertificates));
    }

    #[test]
    fn demo_and_help_are_understood() {
        assert_eq!(parse(&["demo"]), Ok(Arguments::Demo));
        assert_eq!(parse(&["--help"]), Ok(Arguments::Help));
        assert_eq!(parse(&["demo", "-h"]), Ok(Arguments::Help));
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        assert_eq!(parse(&["serve"]), Err(BadArguments::Unknown("serve".into())));
        assert_eq!(parse(&["demo", "twice"]), Err(BadArguments::Unknown("twice".into())));
        let demo = ["demo", "--tls-self-signed"];
        assert_eq!(parse(&demo), Err(BadArguments::Unknown("--tls-self-signed".into())));
    }
}
