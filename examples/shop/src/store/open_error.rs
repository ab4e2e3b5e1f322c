//! A database that cannot be used.

/// What is wrong with the database, on one line.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot use the database {url:?}: {reason}; DATABASE_URL should name an SQLite file that this user may write, \
     in a folder that this user may write, for example sqlite:shop.db?mode=rwc"
)]
pub struct OpenError {
    url: String,
    reason: String,
}

impl OpenError {
    pub(super) fn new(url: &str, reason: impl ToString) -> Self {
        Self { url: url.to_owned(), reason: reason.to_string() }
    }

    pub(super) fn from_sqlx(url: &str, error: &sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(error) => Self::new(url, error.message()),
            None => Self::new(url, error),
        }
    }
}
