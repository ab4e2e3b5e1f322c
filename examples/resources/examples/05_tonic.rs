//! tonic: a gRPC service and its health service, on lameduck's HTTP/2.
//!
//! ```sh
//! cargo run -p resources --example 05_tonic
//! grpcurl -plaintext -import-path examples/resources/examples -proto quotes.proto \
//!     -d '{"item": "tea", "takes_ms": 500}' 127.0.0.1:8080 shop.Quotes/Quote
//! grpc-health-probe -addr 127.0.0.1:8080
//! ```
//! What to look at: with the lame duck, health turns NOT_SERVING, also for those who watch it, while calls are answered
//! as before. In the drain calls in flight end, and so does the watching, which would otherwise hold the drain to its
//! deadline. A call that does not end until then gets `grpc-status: 14`, UNAVAILABLE.

use std::convert::Infallible;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use lameduck::{Lifecycle, Queue, Service, Setup};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus::NotServing;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_prost::ProstCodec;

fn main() -> ExitCode {
    resources::log();
    Service::new("quotes").run(async |shop: &mut Setup| {
        let (reporter, health) = health_reporter();
        reporter.set_serving::<Quotes>().await;

        // A worker, and not a source: it is there before the first call and after the last one.
        let life = shop.lifecycle();
        shop.worker("health", 1, move |_: Queue<()>| tell(reporter.clone(), life.clone()));

        let router = Routes::new(Quotes).add_service(health).into_axum_router();
        shop.http("grpc", resources::address(), router);
        Ok(())
    })
}

/// Says that the service is about to leave, and then ends the streams of those who watch for it.
async fn tell(mut reporter: HealthReporter, life: Lifecycle) {
    let names = ["", Quotes::NAME];
    life.stopping().await;
    for name in names {
        reporter.set_service_status(name, NotServing).await;
    }
    life.draining().await;
    for name in names {
        reporter.clear_service_status(name).await;
    }
}

async fn quote(asked: Request<QuoteRequest>) -> Result<Response<QuoteReply>, Status> {
    let QuoteRequest { item, takes_ms } = asked.into_inner();
    tokio::time::sleep(Duration::from_millis(takes_ms.into())).await;
    Ok(Response::new(QuoteReply { price: 100 * item.len() as u64 }))
}

// What tonic-build makes of `quotes.proto`, in short: a build script would need protoc.

#[derive(Clone, PartialEq, prost::Message)]
struct QuoteRequest {
    #[prost(string, tag = "1")]
    item: String,
    #[prost(uint32, tag = "2")]
    takes_ms: u32,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct QuoteReply {
    #[prost(uint64, tag = "1")]
    price: u64,
}

#[derive(Clone)]
struct Quotes;

impl NamedService for Quotes {
    const NAME: &'static str = "shop.Quotes";
}

impl tower_service::Service<http::Request<Body>> for Quotes {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/shop.Quotes/Quote" => {
                    Grpc::new(ProstCodec::default()).unary(tower::service_fn(quote), request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}
