//! A database that cannot be used.

/// What is wrong with the database, on one line.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot use the database {url:?}: {reason}; DATABASE_URL should name an SQLite file that this user may write, \
     in a folder that this user may write, for example sqlite:shop.db?mode=rwc"
)]
pub struct OpenError {
    pub(super) url: String,
    pub(super) reason: String,
}
