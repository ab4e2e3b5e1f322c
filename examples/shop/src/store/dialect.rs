//! Where SQLite and PostgreSQL differ.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgDatabaseError;

/// The database that a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The one that this URL names.
    ///
    /// # Errors
    /// It names none that keeps what was committed: why.
    pub(super) fn of(url: &str) -> Result<Self, &'static str> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Ok(Self::Postgres)
        } else if !url.starts_with("sqlite:") {
            Err("it begins neither with sqlite: nor with postgres://")
        } else if url.contains(":memory:") || url.contains("mode=memory") {
            Err("what is in memory does not outlive the process")
        } else {
            Ok(Self::Sqlite)
        }
    }

    /// How many connections a process holds at most. SQLite has one writer at a time, whatever there are.
    pub(super) fn connections(self) -> u32 {
        match self {
            Self::Sqlite => 4,
            Self::Postgres => 10,
        }
    }

    /// What each connection begins with. Both wait for [`BUSY_TIMEOUT`](super::BUSY_TIMEOUT) at most.
    pub(super) fn settings(self) -> &'static str {
        match self {
            Self::Sqlite => "PRAGMA busy_timeout = 10000; PRAGMA synchronous = NORMAL",
            // Without its notices that a table exists already.
            Self::Postgres => "SET lock_timeout = '10s'; SET client_min_messages = warning",
        }
    }

    /// How a write begins. SQLite takes its lock at once: to take it later, while reading, may fail at once.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// What lets one transaction at a time create the tables, which PostgreSQL would otherwise trip over.
    pub(super) fn alone_in_schema(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7310000)"),
        }
    }

    /// What waits for every transaction that writes an intent, also one whose process is dead and whose COMMIT the
    /// server is still at, and holds up new ones. On SQLite any write does.
    pub(super) fn alone_in_intents(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("LOCK TABLE intents IN SHARE ROW EXCLUSIVE MODE"),
        }
    }

    /// The tables, written once for both, in this one's words.
    pub(super) fn schema(self, tables: &str) -> AssertSqlSafe<String> {
        let (integer, number, strict) = match self {
            Self::Sqlite => ("INTEGER", "INTEGER PRIMARY KEY", "STRICT"),
            Self::Postgres => ("BIGINT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", ""),
        };
        let tables = tables.replace("{integer}", integer).replace("{number}", number);
        AssertSqlSafe(tables.replace("{strict}", strict))
    }
}

/// Whether another transaction held what was needed for too long: nothing was changed, and the same may succeed later.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(error, sqlx::Error::PoolTimedOut);
    };
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // lock_not_available, deadlock_detected, too_many_connections, cannot_connect_now.
        matches!(&*code, "55P03" | "40P01" | "53300" | "57P03")
    } else {
        const BUSY: i32 = 5;
        code.parse::<i32>().is_ok_and(|extended| extended & 0xff == BUSY)
    }
}
