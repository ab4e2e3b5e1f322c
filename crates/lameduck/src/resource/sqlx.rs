//! Pools of sqlx as resources.

use sqlx::{Database, Pool};

use super::Close;
use crate::Error;

/// Closing gives nobody a connection any more, waits for those that are checked out to come back, for as long as the
/// close budget allows, and closes each in order, of which the server is told.
impl<DB: Database> Close for Pool<DB> {
    async fn close(self) -> Result<(), Error> {
        Pool::close(&self).await;
        Ok(())
    }
}
