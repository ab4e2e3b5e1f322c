//! A stand-in for a payment provider, where `PAYMENT_URL` names none.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use http::Uri;
use lameduck::Close;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::money::Cents;
use crate::store::{Store, Taken};

/// What stands in for a payment provider: `POST /payments {"id", "amount"}` on a port of its own, on this machine
/// only. It takes a payment once per id, in the table `payments`, and answers after a delay.
///
/// It is no part of the shop, so it must outlive all that pays: as a source it would drain together with the shop,
/// while shielded purchases still pay. So it is a resource, which closes after the client that uses it.
#[derive(Clone, Debug)]
pub struct Provider {
    address: SocketAddr,
    over: CancellationToken,
    serving: TaskTracker,
}

#[derive(Debug, Deserialize)]
struct Payment {
    id: String,
    amount: Cents,
}

impl Provider {
    /// Starts one.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start(store: Store, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/payments", post(take)).with_state((store, delay));
        let (over, serving) = (CancellationToken::new(), TaskTracker::new());
        let server = axum::serve(listener, router);
        let server = server.with_graceful_shutdown(over.clone().cancelled_owned());
        drop(serving.spawn(async move {
            if let Err(failure) = server.await {
                error!(error = %failure, "the payment provider failed");
            }
        }));
        serving.close();
        Ok(Self { address, over, serving })
    }

    /// Where it takes payments.
    pub fn endpoint(&self) -> Uri {
        let endpoint = Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query("/payments");
        endpoint.build().expect("an address and a port make an authority")
    }
}

impl Close for Provider {
    /// Ends it, once its connections are closed.
    async fn close(self) -> Result<(), lameduck::Error> {
        self.over.cancel();
        self.serving.wait().await;
        Ok(())
    }
}

async fn take(
    State((store, delay)): State<(Store, Duration)>,
    Json(Payment { id, amount }): Json<Payment>,
) -> (StatusCode, Json<Value>) {
    match store.take_payment(&id, amount).await {
        Ok(Taken::Now) => {
            tokio::time::sleep(delay).await;
            (StatusCode::CREATED, Json(json!({ "id": id, "amount": amount })))
        }
        Ok(Taken::Before) => (StatusCode::OK, Json(json!({ "id": id, "amount": amount }))),
        Ok(Taken::OtherAmount) => {
            (StatusCode::CONFLICT, Json(json!({ "error": "the id belongs to another payment" })))
        }
        Err(failure) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": failure.to_string() })))
        }
    }
}
