//! sqlx: a pool of PostgreSQL is a resource as it is (feature `sqlx`). Closing it waits for connections that are checked
//! out, and says goodbye to the server on each.
//!
//! ```sh
//! DATABASE_URL=postgres://postgres@127.0.0.1/postgres cargo run -p resources --example 06_sqlx
//! curl http://127.0.0.1:8080/visit     # and Ctrl-C while it waits
//! ```
//! What to look at: `select * from pg_stat_activity` has no connection of the service's once it has ended, and the table
//! `visits` has a row for each answer.

use std::process::ExitCode;

use axum::{Router, http::StatusCode, routing::get};
use lameduck::{Service, Setup};
use sqlx::postgres::{PgPool, PgPoolOptions};

fn main() -> ExitCode {
    resources::log();
    Service::new("visits").run(async |shop: &mut Setup| {
        let url = resources::variable("DATABASE_URL", "postgres://postgres@127.0.0.1/postgres");
        let pool = PgPoolOptions::new().max_connections(5).connect(&url).await?;
        let db = shop.resource("db", pool);
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS visits (number bigint GENERATED ALWAYS AS IDENTITY)",
        )
        .execute(&*db)
        .await?;

        let pool = (*db).clone();
        let visit = async move || visit(&pool).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
        shop.http("public", resources::address(), Router::new().route("/visit", get(visit)))
            .uses(&db);
        Ok(())
    })
}

/// A transaction that takes its time.
async fn visit(pool: &PgPool) -> Result<&'static str, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO visits DEFAULT VALUES").execute(&mut *transaction).await?;
    sqlx::query("SELECT pg_sleep(0.05)").execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok("counted\n")
}
