//! `05_tonic`: calls in flight end, health says NOT_SERVING from the lame duck on, and who watches it is let go.

use std::net::SocketAddr;

use h2::client::{SendRequest, handshake};
use http::{HeaderMap, Request};
use lameduck_testkit::{Server, Signal};
use libtest_mimic::Trial;
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::program::{LIMIT, SECOND, ended, program, spawn, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("b7_grpc_health_turns_not_serving_at_the_lame_duck_and_calls_in_flight_end", leaves),
        test("a_ctrl_c_without_a_lame_duck_lets_those_go_who_watch_health", skips_the_lame_duck),
        test("a_grpc_call_that_does_not_end_gets_status_14_at_the_deadline", is_cut),
    ]
}

const OK: &str = "0";
const UNAVAILABLE: &str = "14";

fn leaves() {
    let server = program("05_tonic").env("LAMEDUCK_LAME_DUCK", "2s").start();
    server.ready();
    block_on(async {
        let mut grpc = Channel::connect(server.addr()).await;
        let mut watching = grpc.watch().await;
        assert_eq!(watching.next().await, Some(ServingStatus::Serving));
        assert_eq!(grpc.check().await, ServingStatus::Serving);
        // Longer than the lame duck: it ends in the drain.
        let in_flight: Vec<_> = (0..20).map(|_| grpc.quote("tea", 2500)).collect();
        let signalled = server.signal(Signal::TERM);

        assert_eq!(watching.next().await, Some(ServingStatus::NotServing));
        assert!(signalled.elapsed() < 2 * SECOND, "before the drain: {:?}", signalled.elapsed());
        assert_eq!(grpc.check().await, ServingStatus::NotServing);
        // And it still serves, new connections too.
        let quick =
            Channel::connect(server.addr()).await.quote("coffee", 0).await.expect("no panic");
        assert_eq!(quick, (Some(600), OK.to_owned()));

        assert_eq!(watching.next().await, None, "who watches is let go");
        assert_eq!(watching.status().await, OK);
        for call in in_flight {
            assert_eq!(call.await.expect("no panic"), (Some(300), OK.to_owned()));
        }
    });
    ended(&server.wait_exit(LIMIT), 0);
}

fn skips_the_lame_duck() {
    let server = program("05_tonic").env("LAMEDUCK_LAME_DUCK", "5s").start();
    server.ready();
    let signalled = block_on(async {
        let mut grpc = Channel::connect(server.addr()).await;
        let mut watching = grpc.watch().await;
        assert_eq!(watching.next().await, Some(ServingStatus::Serving));
        let signalled = server.signal(Signal::INT);
        while watching.next().await.is_some() {}
        assert_eq!(watching.status().await, OK);
        signalled
    });
    let exit = server.wait_exit(LIMIT);
    ended(&exit, 0);
    assert!(exit.at - signalled < 3 * SECOND, "{:?}", exit.at - signalled);
}

fn is_cut() {
    let server = program("05_tonic").env("LAMEDUCK_DRAIN", "500ms").start();
    server.ready();
    block_on(async {
        let mut grpc = Channel::connect(server.addr()).await;
        let never = grpc.quote("tea", 60_000);
        in_flight(&server, &mut grpc).await;
        server.signal(Signal::TERM);
        assert_eq!(never.await.expect("no panic"), (None, UNAVAILABLE.to_owned()));
    });
    let report = ended(&server.wait_exit(LIMIT), 75);
    assert_eq!(report["stuck"][0]["name"], "POST /shop.Quotes/Quote", "{report}");
}

/// Waits until the calls begun so far have reached their handlers: an answer on the same connection comes after.
async fn in_flight(server: &Server, grpc: &mut Channel) {
    assert_eq!(grpc.check().await, ServingStatus::Serving, "{}", server.transcript());
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(LIMIT, work).await.expect("in time") })
}

/// A client's connection: as much of gRPC as these calls take.
struct Channel(SendRequest<bytes::Bytes>);

impl Channel {
    async fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).await.expect("a connection");
        let (sender, connection) = handshake(socket).await.expect("HTTP/2");
        drop(spawn(connection));
        Self(sender.ready().await.expect("a connection"))
    }

    fn call(&mut self, path: &str, message: &impl Message) -> Call {
        let request = Request::post(format!("http://test{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let (response, mut body) =
            self.0.send_request(request.body(()).expect("a request"), false).expect("sent");
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
        let frame = [&[0], &length[..], &message].concat();
        body.send_data(frame.into(), true).expect("sent");
        Call { response: Some(response), body: None, head: HeaderMap::new(), read: Vec::new() }
    }

    /// Asks for a price; it, and the status.
    fn quote(&mut self, item: &str, takes_ms: u32) -> JoinHandle<(Option<u64>, String)> {
        let mut call =
            self.call("/shop.Quotes/Quote", &QuoteRequest { item: item.to_owned(), takes_ms });
        spawn(async move {
            let reply: Option<QuoteReply> = call.next().await;
            (reply.map(|reply| reply.price), call.status().await)
        })
    }

    async fn check(&mut self) -> ServingStatus {
        let mut call = self.call("/grpc.health.v1.Health/Check", &about_quotes());
        let reply: HealthCheckResponse = call.next().await.expect("an answer");
        reply.status()
    }

    async fn watch(&mut self) -> Watch {
        Watch(self.call("/grpc.health.v1.Health/Watch", &about_quotes()))
    }
}

/// A call under way.
struct Call {
    response: Option<h2::client::ResponseFuture>,
    body: Option<h2::RecvStream>,
    head: HeaderMap,
    read: Vec<u8>,
}

impl Call {
    /// The next message; none at the end.
    async fn next<M: Message + Default>(&mut self) -> Option<M> {
        if let Some(response) = self.response.take() {
            let (head, body) = response.await.expect("a response").into_parts();
            (self.head, self.body) = (head.headers, Some(body));
        }
        let body = self.body.as_mut()?;
        loop {
            if let Some((head, rest)) = self.read.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if let Some(message) = rest.get(..length) {
                    let message = M::decode(message).expect("a message");
                    self.read.drain(..5 + length);
                    return Some(message);
                }
            }
            let data = body.data().await?.expect("no reset");
            let _ = body.flow_control().release_capacity(data.len());
            self.read.extend_from_slice(&data);
        }
    }

    /// `grpc-status`, from the trailers, or from the head of an answer that has no body.
    async fn status(&mut self) -> String {
        let trailers = match &mut self.body {
            Some(body) => body.trailers().await.expect("no reset").unwrap_or_default(),
            None => HeaderMap::new(),
        };
        let status = trailers.get("grpc-status").or(self.head.get("grpc-status"));
        status.expect("a status").to_str().expect("text").to_owned()
    }
}

struct Watch(Call);

impl Watch {
    async fn next(&mut self) -> Option<ServingStatus> {
        let reply: Option<HealthCheckResponse> = self.0.next().await;
        reply.map(|reply| reply.status())
    }

    async fn status(&mut self) -> String {
        self.0.status().await
    }
}

fn about_quotes() -> HealthCheckRequest {
    HealthCheckRequest { service: "shop.Quotes".to_owned() }
}

#[derive(Clone, PartialEq, Message)]
struct QuoteRequest {
    #[prost(string, tag = "1")]
    item: String,
    #[prost(uint32, tag = "2")]
    takes_ms: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct QuoteReply {
    #[prost(uint64, tag = "1")]
    price: u64,
}
