//! A database that cannot be used.

use crate::secret_url::hidden;

const SQLITE: &str = "name an SQLite file that this user may write, in a folder that this user may write, \
                      for example sqlite:shop.db?mode=rwc";
const POSTGRES: &str = "name a PostgreSQL database that this user may create tables in, \
                        for example postgres://user:password@localhost/shop";

/// What is wrong with the database, on one line, without its password.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the database {url:?}: {reason}; DATABASE_URL should {advice}")]
pub struct OpenError {
    url: String,
    reason: String,
    advice: String,
}

impl OpenError {
    pub(super) fn new(url: &str, reason: impl ToString) -> Self {
        let advice = if url.starts_with("sqlite:") {
            SQLITE.to_owned()
        } else if url.starts_with("postgres") {
            POSTGRES.to_owned()
        } else {
            format!("{SQLITE}, or {POSTGRES}")
        };
        Self { url: hidden(url), reason: reason.to_string(), advice }
    }

    pub(super) fn from_sqlx(url: &str, error: &sqlx::Error) -> Self {
        if let Some(error) = error.as_database_error() {
            return Self::new(url, error.message());
        }
        let silent = matches!(error, sqlx::Error::PoolTimedOut);
        Self::new(url, if silent { "it does not answer".to_owned() } else { error.to_string() })
    }
}
