//! Redis: visits are counted in memory and stored once a second. The rest is stored at the end, once the last request
//! has been counted.
//!
//! ```sh
//! redis-server --port 6379
//! cargo run -p resources --example 01_redis
//! curl http://127.0.0.1:8080/          # as often as you like, also while it stops
//! redis-cli get visits                 # after the stop: as many as were answered
//! ```
//! What to look at: stop it by Ctrl-C within a second of a visit. Then kill Redis first: the service goes on, and its
//! stop ends in time, says which resource failed and why, and exits with 1.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::{Router, routing::get};
use lameduck::{Error, OnFailure, Service, Setup};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// The connection, and what it has yet to be told. The crate's manager connects anew by itself.
#[derive(Clone)]
struct Visits {
    redis: ConnectionManager,
    pending: Arc<AtomicU64>,
}

impl Visits {
    async fn connect(url: &str) -> Result<Visits, Error> {
        // A server that is gone is an error within a second or so: less than the close budget.
        let limits = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(500)))
            .set_response_timeout(Some(Duration::from_millis(500)))
            .set_number_of_retries(1);
        let client = redis::Client::open(url)?;
        let redis = client.get_connection_manager_with_config(limits).await;
        let redis = redis.map_err(|error| format!("Redis does not answer: {error}"))?;
        Ok(Visits { redis, pending: Arc::default() })
    }

    async fn store(mut self) -> Result<(), Error> {
        let visits = self.pending.swap(0, Ordering::Relaxed);
        if visits == 0 {
            return Ok(());
        }
        let mut command = redis::cmd("INCRBY");
        let stored = command.arg("visits").arg(visits).query_async::<u64>(&mut self.redis).await;
        if stored.is_err() {
            // For the next try. If only the answer was lost, these are stored twice.
            self.pending.fetch_add(visits, Ordering::Relaxed);
        }
        Ok(stored.map(drop)?)
    }
}

fn main() -> ExitCode {
    resources::log();
    Service::new("visits").run(async |shop: &mut Setup| {
        let url = resources::variable("REDIS_URL", "redis://127.0.0.1:6379/");
        // Closed when nothing that could count is left: all that was counted is stored.
        let visits = shop.resource_with("redis", Visits::connect(&url).await?, Visits::store);

        let stored = visits.clone();
        shop.every("store visits", Duration::from_secs(1), move || (*stored).clone().store())
            .uses(&visits)
            .on_failure(OnFailure::Ignore);

        let counted = Arc::clone(&visits.pending);
        let count = async move || {
            counted.fetch_add(1, Ordering::Relaxed);
            "counted\n"
        };
        shop.http("public", resources::address(), Router::new().route("/", get(count)))
            .uses(&visits);
        Ok(())
    })
}
