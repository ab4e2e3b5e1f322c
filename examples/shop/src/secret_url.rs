//! Addresses that may hold a password.

use std::fmt;

/// An address as the environment gave it. Shown in any way, it hides what may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The address with its secrets, for whoever connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hidden(&self.0))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&hidden(&self.0), f)
    }
}

/// The address without what may be a secret: all before its last `@`, and the values behind its `?`. An SQLite file
/// has no secret. It need not be a valid address: the one that is mistyped is the one that is shown.
pub fn hidden(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let scheme = if scheme.contains('@') { "" } else { scheme };
    let (mark, rest) = match rest.rsplit_once('@') {
        Some((_, host)) => ("***@", host),
        None => ("", rest),
    };
    let rest = match rest.split_once('?') {
        Some((path, _)) => format!("{path}?***"),
        None => rest.to_owned(),
    };
    let slashes = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{slashes}{mark}{rest}")
}

#[cfg(test)]
mod tests {
    use super::{SecretUrl, hidden};

    #[test]
    fn no_secret_is_shown_wherever_it_stands() {
        for (url, shown) in [
            ("postgres://ada:s3cret@db:5432/shop", "postgres://***@db:5432/shop"),
            ("postgres://ada:s3@cr/e?t@db/shop", "postgres://***@db/shop"),
            ("postgres://db/shop?password=s3cret&x=1", "postgres://db/shop?***"),
            ("nats://s3cret@broker:4222", "nats://***@broker:4222"),
            ("s3cret@broker", "***@broker"),
            ("postgres:ada:s3cret@db", "***@db"),
            ("nats://a:s3cret@one,nats://b:s3cret@two", "nats://***@two"),
            ("postgres://db/shop", "postgres://db/shop"),
            ("sqlite:a@b?mode=rwc", "sqlite:a@b?mode=rwc"),
        ] {
            assert_eq!(hidden(url), shown);
            let url = SecretUrl::from(url.to_owned());
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.into(), format!("{shown:?}")));
        }
    }
}
