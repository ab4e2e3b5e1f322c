//! The client of a payment provider.

use std::error::Error as _;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use lameduck::Lifecycle;
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::PaymentError;
use crate::store::Purchase;

/// How long one call may take, from connecting to the whole answer.
const CALL: Duration = Duration::from_secs(60);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The pauses before asking again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
/// As much of an answer as anybody reads.
const ANSWER: usize = 1_000;

/// Asks a provider for payments over keep-alive connections. Clones share them.
///
/// Its guarantee is the provider's: `POST {"id", "amount"}` takes the money once per id, so asking again is safe.
/// Whoever asks is a shield, and so no call outlives the finish deadline: it is dropped there, and its connection with
/// it. Closing leaves no connection behind.
#[derive(Clone, Debug)]
pub struct Payments {
    endpoint: Uri,
    /// None once it is closed.
    client: Arc<RwLock<Option<Http>>>,
    connections: TaskTracker,
}

type Http = Client<HttpConnector, Full<Bytes>>;

/// Runs a connection where its end can be waited for.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, connection: F) {
        drop(self.0.spawn(connection));
    }
}

impl Payments {
    /// A client of the provider at `endpoint`, which it first connects to when it is asked.
    pub fn new(endpoint: Uri) -> Self {
        let connections = TaskTracker::new();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(Tracked(connections.clone())).build(connector);
        Self { endpoint, client: Arc::new(RwLock::new(Some(client))), connections }
    }

    /// Pays for a purchase, once, whenever and however often it is called.
    ///
    /// # Errors
    /// The provider refused, or did not answer although it was asked three times.
    pub async fn pay(&self, purchase: &Purchase) -> Result<(), PaymentError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let failed = match self.ask(purchase).await {
                Err(PaymentError::Unknown(why)) => PaymentError::Unknown(why),
                known => return known,
            };
            let too_late = Lifecycle::try_current().is_some_and(|life| life.is_cancelled());
            match pauses.next() {
                Some(pause) if !too_late => tokio::time::sleep(pause).await,
                Some(_) | None => return Err(failed),
            }
        }
    }

    async fn ask(&self, purchase: &Purchase) -> Result<(), PaymentError> {
        let call = tokio::time::timeout(CALL, self.call(purchase)).await;
        call.map_err(|_| PaymentError::Unknown(format!("not within {} s", CALL.as_secs())))?
    }

    async fn call(&self, Purchase { id, price, .. }: &Purchase) -> Result<(), PaymentError> {
        let unknown = |error: &dyn std::fmt::Display| PaymentError::Unknown(error.to_string());
        let body = json!({ "id": id, "amount": price }).to_string();
        let request = Request::post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| unknown(&error))?;
        let answer = {
            let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
            client.as_ref().ok_or_else(|| unknown(&"the client is closed"))?.request(request)
        };
        let answer = answer.await.map_err(|error| match error.source() {
            Some(source) => unknown(&source),
            None => unknown(&error),
        })?;
        let status = answer.status();
        let text = Limited::new(answer.into_body(), ANSWER).collect().await;
        let text = text.map(|text| String::from_utf8_lossy(&text.to_bytes()).into_owned());
        if status.is_success() {
            Ok(())
        } else if status.is_client_error() {
            Err(PaymentError::Refused { status: status.as_u16(), text: text.unwrap_or_default() })
        } else {
            Err(unknown(&status))
        }
    }

    /// Closes its connections, and waits until they are closed. Nothing may use it any more.
    pub async fn close(self) {
        drop(self.client.write().unwrap_or_else(PoisonError::into_inner).take());
        self.connections.close();
        self.connections.wait().await;
    }
}
