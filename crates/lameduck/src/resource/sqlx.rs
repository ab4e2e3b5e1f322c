//! Pools of sqlx as resources.

use sqlx::{Database, Pool};

use super::Close;
use crate::Error;

/// Closing waits for connections that are checked out to come back, and closes them in order.
impl<DB: Database> Close for Pool<DB> {
    async fn close(self) -> Result<(), Error> {
        Pool::close(&self).await;
        Ok(())
    }
}
