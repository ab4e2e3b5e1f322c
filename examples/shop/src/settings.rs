//! What the environment says.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use jiff::SignedDuration;

use crate::secret_url::{SecretUrl, hidden};

/// How this process serves; each has a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `DATABASE_URL`: the SQLite file, `sqlite:shop.db?mode=rwc`, or a PostgreSQL database.
    pub database_url: SecretUrl,
    /// `SHOP_ADDR`: where to serve, `127.0.0.1:8080`.
    pub address: SocketAddr,
    /// `PAYMENT_URL`: the payment provider; without one there is a stand-in.
    pub payment_url: Option<Uri>,
    /// `SHOP_PAYMENT_DELAY`: how long the stand-in takes, between debit and item, `300ms`.
    pub payment_delay: Duration,
    /// `SHOP_SETTLE_EVERY`: how often purchases are settled, `1m`.
    pub settle_every: Duration,
    /// `NATS_URL`: the broker whose orders are taken, if any.
    pub nats_url: Option<SecretUrl>,
}

/// A variable whose value cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is {value:?}: expected {expected}, for example {variable}={example}")]
pub struct BadSetting {
    variable: &'static str,
    value: String,
    expected: &'static str,
    example: &'static str,
}

impl Settings {
    /// Reads the process's environment.
    pub fn from_environment() -> Result<Self, BadSetting> {
        Self::read(|variable| env::var_os(variable))
    }

    /// Reads the variables that `lookup` knows. An empty value counts as unset.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, BadSetting> {
        let text = |variable| lookup(variable).filter(|value| !value.is_empty());
        let read = |variable, default: &'static str, expected, example| {
            let value = text(variable).unwrap_or_else(|| default.into());
            let value = value.to_string_lossy().into_owned();
            let bad = BadSetting { variable, value: hidden(&value), expected, example };
            (value, bad)
        };

        let url = "sqlite:shop.db?mode=rwc";
        let (value, bad) =
            read("DATABASE_URL", url, "an address of SQLite or PostgreSQL, in UTF-8", url);
        // What is not UTF-8 could only be a file with another name.
        let whole = !value.contains(char::REPLACEMENT_CHARACTER);
        let database_url = whole.then(|| SecretUrl::from(value)).ok_or(bad)?;

        let address = "127.0.0.1:8080";
        let (value, bad) = read("SHOP_ADDR", address, "an IP address and a port", address);
        let address = value.parse().map_err(|_| bad)?;

        let time = "a time with its unit, zero or more";
        let (value, bad) = read("SHOP_PAYMENT_DELAY", "300ms", time, "5s");
        let payment_delay = duration(&value).ok_or(bad)?;

        let time = "a time with its unit, more than zero";
        let (value, bad) = read("SHOP_SETTLE_EVERY", "1m", time, "30s");
        let settle_every = duration(&value).filter(|time| !time.is_zero()).ok_or(bad)?;

        let example = "http://127.0.0.1:9000/payments";
        let (value, bad) = read("PAYMENT_URL", "", "an address that begins with http://", example);
        let payment_url = match &*value {
            "" => None,
            value => Some(provider(value).ok_or(bad)?),
        };

        let example = "nats://127.0.0.1:4222";
        let (value, bad) =
            read("NATS_URL", "", "an address that begins with nats:// or tls://", example);
        let nats_url = match &*value {
            "" => None,
            value if value.starts_with("nats://") || value.starts_with("tls://") => {
                Some(SecretUrl::from(value.to_owned()))
            }
            _ => return Err(bad),
        };

        Ok(Self { database_url, address, payment_url, payment_delay, settle_every, nats_url })
    }
}

fn duration(text: &str) -> Option<Duration> {
    text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok())
}

/// The client speaks plain HTTP: to a provider on this machine, or to a proxy that encrypts.
fn provider(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    (uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()))
        .then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variable: &'static str, value: &'static str) -> Result<Settings, String> {
        Settings::read(|asked| (asked == variable).then(|| value.into()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let settings = Settings::read(|_| None).unwrap();
        assert_eq!(settings.database_url.expose(), "sqlite:shop.db?mode=rwc");
        assert_eq!(settings.address.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.payment_delay, Duration::from_millis(300));
        assert_eq!(settings.settle_every, Duration::from_secs(60));
        assert_eq!((settings.payment_url, settings.nats_url), (None, None));
    }

    #[test]
    fn delays_are_read_with_their_unit() {
        assert_eq!(with("SHOP_PAYMENT_DELAY", "5s").unwrap().payment_delay, Duration::from_secs(5));
        assert_eq!(
            with("SHOP_PAYMENT_DELAY", "1m 30s").unwrap().payment_delay,
            Duration::from_secs(90)
        );
        assert_eq!(with("SHOP_PAYMENT_DELAY", "0ms").unwrap().payment_delay, Duration::ZERO);
    }

    #[test]
    fn a_bad_value_is_named_with_an_example() {
        assert_eq!(
            with("SHOP_PAYMENT_DELAY", "soon").unwrap_err(),
            "SHOP_PAYMENT_DELAY is \"soon\": expected a time with its unit, zero or more, \
             for example SHOP_PAYMENT_DELAY=5s"
        );
        assert!(with("SHOP_PAYMENT_DELAY", "-5s").is_err());
        assert!(with("SHOP_PAYMENT_DELAY", "300").is_err());
        assert_eq!(
            with("SHOP_ADDR", "8080").unwrap_err(),
            "SHOP_ADDR is \"8080\": expected an IP address and a port, for example SHOP_ADDR=127.0.0.1:8080"
        );
    }

    #[test]
    fn a_bad_address_is_named_without_its_password() {
        for (variable, value, shown, example) in [
            ("NATS_URL", "ada:s3cret@broker", "***@broker", "NATS_URL=nats://127.0.0.1:4222"),
            ("NATS_URL", "http://s3cret@broker", "http://***@broker", "NATS_URL=nats://"),
            ("PAYMENT_URL", "https://a:s3cret@bank", "https://***@bank", "PAYMENT_URL=http://"),
            ("PAYMENT_URL", "http://", "http://", "PAYMENT_URL=http://127.0.0.1:9000/payments"),
        ] {
            let error = with(variable, value).unwrap_err();
            assert!(error.starts_with(&format!("{variable} is {shown:?}: ")), "{error}");
            assert!(error.contains(example) && !error.contains("s3cret"), "{error}");
        }
    }
}
