//! reqwest: calls to another service end by the deadline. A client holds nothing that must be closed, so it is no
//! resource.
//!
//! ```sh
//! PAYMENTS_URL=http://127.0.0.1:9000/ LAMEDUCK_DRAIN=3s cargo run -p resources --example 04_reqwest
//! nc -lk 9000                          # payments that never answer
//! curl -i http://127.0.0.1:8080/pay    # or /try; and then stop the service by Ctrl-C
//! ```
//! What to look at: `/pay` only waits. It is cut at the drain deadline, its client is told 503, and the report says what
//! it waited for; exit code 75. `/try` sees the deadline coming and answers by itself; exit code 0.

use std::process::ExitCode;
use std::time::Duration;

use axum::{Router, http::StatusCode, routing::get};
use lameduck::{Lifecycle, Service, Setup};
use reqwest::Client;

/// How long payments may take on an ordinary day.
const LIMIT: Duration = Duration::from_secs(30);
/// What an answer of our own needs before the deadline.
const LEAD: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    resources::log();
    Service::new("payments").run(async |shop: &mut Setup| {
        let url = resources::variable("PAYMENTS_URL", "http://127.0.0.1:9000/");
        let client = Client::builder().timeout(LIMIT).build()?;
        let (pay_client, pay_url) = (client.clone(), url.clone());
        let router = Router::new()
            .route("/pay", get(async move |life| pay(life, pay_client, pay_url).await))
            .route("/try", get(async move |life| attempt(life, client, url).await));
        shop.http("public", resources::address(), router);
        Ok(())
    })
}

/// Nothing is needed for a call to end by the deadline: its future is dropped with the handler, which closes its
/// connection. The note is what the report shows.
async fn pay(life: Lifecycle, client: Client, url: String) -> (StatusCode, String) {
    life.note(format!("waits for {url}"));
    answer(call(&client, &url).await)
}

/// Ends shortly before the deadline, so that the client gets an answer of ours. The deadline is fixed when the stop
/// begins, for calls that began before as well.
async fn attempt(life: Lifecycle, client: Client, url: String) -> (StatusCode, String) {
    tokio::select! {
        answered = call(&client, &url) => answer(answered),
        () = nearly_over(&life) => {
            (StatusCode::GATEWAY_TIMEOUT, "Whether it was paid is not known. Ask again.\n".to_owned())
        }
    }
}

async fn nearly_over(life: &Lifecycle) {
    life.stopping().await;
    if let Some(deadline) = life.deadline().and_then(|deadline| deadline.checked_sub(LEAD)) {
        tokio::time::sleep_until(deadline.into()).await;
    }
}

async fn call(client: &Client, url: &str) -> reqwest::Result<String> {
    client.get(url).send().await?.error_for_status()?.text().await
}

fn answer(answered: reqwest::Result<String>) -> (StatusCode, String) {
    match answered {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error}\n")),
    }
}
