//! The client of a payment provider.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use lameduck::Close;
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
/// No call outlives the stop: whoever asks is a shield, which is dropped at the finish deadline, and its connection with
/// it; or it is the start, which has its own limit. Closing leaves no connection behind.
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
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failed),
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
        let answer = answer.await.map_err(|error| unknown(&cause(&error)))?;
        let status = answer.status();
        let text = Limited::new(answer.into_body(), ANSWER).collect().await;
        let text = text.map(|text| String::from_utf8_lossy(&text.to_bytes()).into_owned());
        if status.is_success() {
            Ok(())
        } else if status.is_client_error() && !later(status) {
            Err(PaymentError::Refused { status: status.as_u16(), text: text.unwrap_or_default() })
        } else {
            Err(unknown(&status))
        }
    }
}

impl Close for Payments {
    /// Closes its connections, and waits until they are closed. Nothing may use it any more.
    async fn close(self) -> Result<(), lameduck::Error> {
        drop(self.client.write().unwrap_or_else(PoisonError::into_inner).take());
        self.connections.close();
        self.connections.wait().await;
        Ok(())
    }
}

/// Whether the provider only says that it could not take it just now.
fn later(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// What is behind an error that only says that something failed.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::money::Cents;

    const LIMIT: Duration = Duration::from_secs(10);

    fn coffee() -> Purchase {
        let (id, owner, item) = ("order-1".into(), "ada".into(), "coffee".into());
        Purchase { id, owner, item, price: Cents(350) }
    }

    async fn provider() -> (TcpListener, Payments) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/pay?shop=1", listener.local_addr().unwrap());
        (listener, Payments::new(endpoint.parse().unwrap()))
    }

    /// Reads a whole request.
    async fn request(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"}") {
            let read = tokio::time::timeout(LIMIT, stream.read_buf(&mut text)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "{}", String::from_utf8_lossy(&text));
        }
        String::from_utf8(text).unwrap()
    }

    async fn answer(stream: &mut TcpStream, status: &str) {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        stream.write_all(head.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_was_lost_is_asked_for_again_under_the_same_id() {
        let (listener, payments) = provider().await;
        let taking = async {
            let (mut lost, _) = listener.accept().await.unwrap();
            let first = request(&mut lost).await;
            drop(lost);
            let (mut busy, _) = listener.accept().await.unwrap();
            let second = request(&mut busy).await;
            answer(&mut busy, "429 Too Many Requests").await;
            let third = request(&mut busy).await;
            answer(&mut busy, "201 Created").await;
            [first, second, third]
        };
        let coffee = coffee();
        let (paid, asked) = tokio::join!(payments.pay(&coffee), taking);
        paid.unwrap();
        for one in &asked {
            assert!(one.starts_with("POST /pay?shop=1 HTTP/1.1\r\n"), "{one}");
            assert!(one.ends_with(r#"{"amount":350,"id":"order-1"}"#), "{one}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let (listener, payments) = provider().await;
        let refusing = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            request(&mut stream).await;
            answer(&mut stream, "402 Payment Required").await;
            stream
        };
        let coffee = coffee();
        let (paid, _held) = tokio::join!(payments.pay(&coffee), refusing);
        let refused = paid.unwrap_err().to_string();
        assert_eq!(refused, "the payment provider refused: 402 no");
    }

    #[tokio::test]
    async fn closing_leaves_no_connection_and_takes_no_more_payments() {
        let (listener, payments) = provider().await;
        let taking = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                request(&mut stream).await;
                answer(&mut stream, "200 OK").await;
            }
            stream
        };
        let paying = async {
            payments.pay(&coffee()).await.unwrap();
            payments.pay(&coffee()).await.unwrap();
        };
        let ((), mut stream) = tokio::join!(paying, taking);
        assert_eq!(payments.connections.len(), 1, "one connection for both, kept alive");

        let again = payments.clone();
        tokio::time::timeout(LIMIT, payments.close()).await.unwrap().unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await;
        assert_eq!((ended.unwrap().unwrap(), again.connections.len()), (0, 0));
        let refused = again.pay(&coffee()).await.unwrap_err().to_string();
        assert_eq!(refused, "the payment provider did not answer: the client is closed");
    }

    #[tokio::test]
    async fn nobody_there_is_said_so() {
        let (listener, payments) = provider().await;
        drop(listener);
        let refused = payments.pay(&coffee()).await.unwrap_err().to_string();
        assert!(refused.contains("did not answer") && refused.contains("refused"), "{refused}");
    }
}
