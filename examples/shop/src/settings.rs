//! What the environment says.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;

/// How this process serves; each has a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `DATABASE_URL`: the SQLite file, `sqlite:shop.db?mode=rwc`.
    pub database_url: String,
    /// `SHOP_ADDR`: where to serve, `127.0.0.1:8080`.
    pub address: SocketAddr,
    /// `SHOP_PAYMENT_DELAY`: the time between debit and item, `300ms`.
    pub payment_delay: Duration,
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
        let read = |variable, default: &'static str, expected, example| {
            let value = lookup(variable)
                .filter(|value| !value.is_empty())
                .unwrap_or_else(|| default.into());
            let text = value.to_str().map(str::to_owned);
            let bad = BadSetting {
                variable,
                value: value.to_string_lossy().into_owned(),
                expected,
                example,
            };
            (text, bad)
        };

        let url = "sqlite:shop.db?mode=rwc";
        let (text, bad) = read("DATABASE_URL", url, "an SQLite address", url);
        let database_url = text.ok_or(bad)?;

        let address = "127.0.0.1:8080";
        let (text, bad) = read("SHOP_ADDR", address, "an IP address and a port", address);
        let address = text.and_then(|text| text.parse().ok()).ok_or(bad)?;

        let (text, bad) =
            read("SHOP_PAYMENT_DELAY", "300ms", "a time with its unit, zero or more", "5s");
        let payment_delay = text
            .and_then(|text| text.parse::<SignedDuration>().ok())
            .and_then(|delay| Duration::try_from(delay).ok())
            .ok_or(bad)?;

        Ok(Self { database_url, address, payment_delay })
    }
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
        assert_eq!(settings.database_url, "sqlite:shop.db?mode=rwc");
        assert_eq!(settings.address.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.payment_delay, Duration::from_millis(300));
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
}
