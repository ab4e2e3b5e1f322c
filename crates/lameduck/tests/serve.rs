//! `Service::serve`: in somebody else's process and on somebody else's runtime.

#![allow(missing_docs, reason = "a test program")]

mod fixture;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lameduck::{Budget, Cause, Error, Outcome, Report, Service, Setup, StopHandle};
use lameduck_testkit::{Client, Failure, Response};
use tokio::sync::oneshot;

const SECOND: Duration = Duration::from_secs(1);

fn service() -> Service {
    let budget = Budget {
        lame_duck: Duration::ZERO,
        drain: Duration::from_secs(3),
        finish: Duration::from_millis(500),
        close: Duration::from_millis(500),
        ..Budget::default()
    };
    Service::new("guest").budget(budget)
}

fn router() -> axum::Router {
    use axum::routing::get;
    let sleep = async || {
        tokio::time::sleep(Duration::from_millis(400)).await;
        "slept"
    };
    axum::Router::new()
        .route("/", get(async || "OK"))
        .route("/sleep", get(sleep))
        .route("/hang", get(std::future::pending::<()>))
}

/// The testkit's client blocks, so it asks on a thread of its own.
async fn get(addr: SocketAddr, path: &'static str) -> Result<Response, Failure> {
    tokio::task::spawn_blocking(move || fixture::get(addr, path)).await.expect("no panic")
}

/// Starts the service on its own task; where its servers listen, and its report.
async fn started(
    service: Service,
    stop: &StopHandle,
    servers: usize,
) -> (Vec<SocketAddr>, tokio::task::JoinHandle<Report>) {
    let (tell, told) = oneshot::channel();
    let serving = service.serve(stop, async move |setup: &mut Setup| {
        let listen = |number: usize| {
            let http = setup.http(&format!("http{number}"), "127.0.0.1:0", router());
            http.local_addr().expect("a TCP address")
        };
        let addresses: Vec<SocketAddr> = (0..servers).map(listen).collect();
        let _ = tell.send(addresses);
        Ok(())
    });
    let task = spawn(serving);
    (told.await.expect("the setup ran"), task)
}

#[expect(clippy::disallowed_methods, reason = "this runtime is the test's")]
fn spawn<F: Future<Output: Send> + Send + 'static>(
    future: F,
) -> tokio::task::JoinHandle<F::Output> {
    tokio::spawn(future)
}

async fn serves_and_returns_its_report() {
    let stop = StopHandle::new();
    let (addresses, task) = started(service(), &stop, 3).await;
    for addr in &addresses {
        assert_eq!(get(*addr, "/").await.expect("an answer").text(), "OK");
    }
    let waiting = spawn(get(addresses[1], "/sleep"));
    tokio::time::sleep(Duration::from_millis(150)).await;
    stop.stop("the test is over");
    stop.stop("and over");
    assert!(stop.is_stopped());
    let answer = waiting.await.expect("no panic").expect("what is in flight is answered");
    assert_eq!(answer.text(), "slept");
    let report = task.await.expect("the report");
    assert_eq!((report.outcome, report.exit_code), (Outcome::Clean, 0));
    assert_eq!(report.cause, Cause::Code { reason: "the test is over".to_owned() });
    assert_eq!(report.requests.completed, 1, "counted from the stop on");
    for addr in &addresses {
        assert!(matches!(get(*addr, "/").await, Err(Failure::Refused(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_it_serves_several_listeners_and_returns_its_report() {
    serves_and_returns_its_report().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a2_it_runs_on_the_callers_current_thread_runtime_too() {
    serves_and_returns_its_report().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_never_ends_the_process_even_when_forced() {
    let stop = StopHandle::new();
    let budget = Budget { drain: Duration::from_millis(400), ..Budget::default() };
    let budget = Budget { lame_duck: Duration::ZERO, ..budget };
    let (addresses, task) = started(Service::new("guest").budget(budget), &stop, 1).await;
    let waiting = spawn(get(addresses[0], "/hang"));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let begun = Instant::now();
    stop.stop("enough");
    assert_eq!(waiting.await.expect("no panic").expect("a whole 503").status, 503);
    let report = task.await.expect("the report");
    assert_eq!((report.outcome, report.exit_code), (Outcome::Forced, 75));
    assert_eq!(report.stuck.len(), 1);
    assert_eq!(report.stuck[0].name, "GET /hang");
    assert!(begun.elapsed() < 3 * SECOND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_its_future_stops_the_service_in_order() {
    let stop = StopHandle::new();
    let closed = Arc::new(AtomicUsize::new(0));
    let (tell, told) = oneshot::channel();
    let counter = Arc::clone(&closed);
    let serving = service().serve(&stop, async move |setup: &mut Setup| {
        let db = setup.resource_with("db", counter, async |counter: Arc<AtomicUsize>| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let http = setup.http("http", "127.0.0.1:0", router()).uses(&db);
        let _ = tell.send(http.local_addr());
        Ok(())
    });
    let task = spawn(serving);
    let addr = told.await.expect("the setup ran").expect("an address");
    let waiting = spawn(get(addr, "/sleep"));
    tokio::time::sleep(Duration::from_millis(150)).await;
    task.abort();
    assert!(task.await.is_err_and(|error| error.is_cancelled()));
    assert!(stop.is_stopped());
    let answer = waiting.await.expect("no panic").expect("what is in flight is answered");
    assert_eq!(answer.text(), "slept");
    eventually(|| closed.load(Ordering::SeqCst) == 1).await;
    assert!(matches!(get(addr, "/").await, Err(Failure::Refused(_))));
}

async fn eventually(yes: impl Fn() -> bool) {
    let end = Instant::now() + 5 * SECOND;
    while !yes() {
        assert!(Instant::now() < end, "not within 5 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_start_that_fails_is_a_report() {
    let stop = StopHandle::new();
    let failing = async |_: &mut Setup| Err(Error::msg("no database"));
    let report = service().serve(&stop, failing).await;
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(report.cause, Cause::Start { message: "no database".to_owned() });

    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let service = service().grace(SECOND).on_report(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let report = service.serve(&stop, async |_: &mut Setup| Ok(())).await;
    assert_eq!(seen.load(Ordering::SeqCst), 1, "the callback gets it as well");
    let Cause::Start { message } = report.cause else { panic!("{:?}", report.cause) };
    assert!(message.contains("allows 1 s"), "{message}");
}

#[tokio::test]
async fn a_stop_that_was_asked_for_before_the_start_ends_it() {
    let stop = StopHandle::new();
    stop.stop("changed my mind");
    let report = service().serve(&stop, async |_: &mut Setup| std::future::pending().await).await;
    assert_eq!(report.outcome, Outcome::Clean);
    assert_eq!(report.cause, Cause::Code { reason: "changed my mind".to_owned() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_in_one_process_stop_on_their_own() {
    let (first, second) = (StopHandle::new(), StopHandle::new());
    let (one, one_ends) = started(service(), &first, 1).await;
    let (two, two_ends) = started(service(), &second, 1).await;
    first.stop("the first");
    assert_eq!(one_ends.await.expect("a report").outcome, Outcome::Clean);
    assert!(get(one[0], "/").await.is_err());
    assert_eq!(get(two[0], "/").await.expect("an answer").text(), "OK");
    second.stop("the second");
    assert_eq!(two_ends.await.expect("a report").outcome, Outcome::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callback_gets_the_report_and_the_admin_listener_answers() {
    let admin = SocketAddr::from(([127, 0, 0, 1], lameduck_testkit::free_port()));
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let service = service().admin(admin.to_string()).on_report(move |report| {
        counter.fetch_add(1 + usize::from(report.exit_code), Ordering::SeqCst);
    });
    let stop = StopHandle::new();
    let (_, task) = started(service, &stop, 1).await;
    let ready = async || get(admin, "/readyz").await.map(|response| response.status);
    let end = Instant::now() + 5 * SECOND;
    while ready().await != Ok(200) {
        assert!(Instant::now() < end);
    }
    stop.stop("enough");
    assert_eq!(task.await.expect("a report").outcome, Outcome::Clean);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    eventually(|| std::net::TcpListener::bind(admin).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_may_come_from_any_async_io() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stop = StopHandle::new();
    let (give, take) = tokio::sync::mpsc::unbounded_channel::<tokio::io::DuplexStream>();
    let feed =
        futures_util::stream::unfold(take, async |mut take| Some((take.recv().await?, take)));
    let serving = service().serve(&stop, async move |setup: &mut Setup| {
        setup.http_from("pipes", feed, router());
        Ok(())
    });
    let task = spawn(serving);
    let ask = async |path: &str| {
        let (mut client, server) = tokio::io::duplex(1024);
        give.send(server).expect("the service takes connections");
        let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        client.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("text to the end");
        answer
    };
    let answer = ask("/").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("OK"), "{answer}");
    // One that is idle as the stop begins, and one in flight.
    let (_idle, server) = tokio::io::duplex(1024);
    give.send(server).expect("taken");
    let (answer, ()) = tokio::join!(ask("/sleep"), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        stop.stop("enough");
    });
    assert!(answer.ends_with("slept"), "{answer}");
    let report = tokio::time::timeout(5 * SECOND, task).await.expect("in time").expect("a report");
    assert_eq!(report.outcome, Outcome::Clean, "{report}");
    assert_eq!(report.requests.completed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hyper_service_does_as_well_as_a_router() {
    use lameduck::http::Body;
    let stop = StopHandle::new();
    let (tell, told) = oneshot::channel();
    let serving = service().serve(&stop, async move |setup: &mut Setup| {
        let hello = hyper::service::service_fn(async |request: http::Request<Body>| {
            let path = request.uri().path().to_owned();
            Ok::<_, std::convert::Infallible>(http::Response::new(path))
        });
        let http = setup.http_hyper("hyper", "127.0.0.1:0", hello);
        let _ = tell.send(http.local_addr());
        Ok(())
    });
    let task = spawn(serving);
    let addr = told.await.expect("the setup ran").expect("an address");
    assert_eq!(get(addr, "/some/path").await.expect("an answer").text(), "/some/path");
    // A connection that is kept is closed within the idle grace.
    let kept = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr).expect("a connection");
        client.get("/").expect("sent");
        client.read_response().expect("an answer");
        client
    });
    let mut kept = kept.await.expect("no panic");
    stop.stop("enough");
    assert_eq!(task.await.expect("a report").outcome, Outcome::Clean);
    let closed = tokio::task::spawn_blocking(move || kept.closed_cleanly(SECOND));
    assert!(closed.await.expect("no panic"));
}

type Answer = Result<http::Response<axum::body::Body>, std::convert::Infallible>;

/// A service of one server that panics when it is called with `/panic`, before it returns a future: a tower layer can.
/// Its address, what stops it, and its report to be.
async fn panicking<F, A>(answer: F) -> (SocketAddr, StopHandle, tokio::task::JoinHandle<Report>)
where
    F: Fn(http::Request<lameduck::http::Body>) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let stop = StopHandle::new();
    let (tell, told) = oneshot::channel();
    let serving = service().serve(&stop, async move |setup: &mut Setup| {
        let answer = answer.clone();
        let hyper = hyper::service::service_fn(move |request: http::Request<_>| {
            assert!(request.uri().path() != "/panic", "called in vain");
            answer(request)
        });
        let _ = tell.send(setup.http_hyper("hyper", "127.0.0.1:0", hyper).local_addr());
        Ok(())
    });
    let task = spawn(serving);
    (told.await.expect("the setup ran").expect("an address"), stop, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_panics_when_called_answers_500_and_harms_no_other_request() {
    let (addr, stop, task) = panicking(|request| {
        let path = request.uri().path().to_owned();
        async move { Answer::Ok(http::Response::new(path.into())) }
    })
    .await;

    let http1 = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr).expect("a connection");
        client.post("/panic", &[b'x'; 4096]).expect("sent");
        let answer = client.read_response().expect("an answer");
        assert!(client.closed_cleanly(3 * SECOND), "a connection behind a panic is not kept");
        answer
    });
    let answer = http1.await.expect("no panic");
    assert_eq!((answer.status, answer.header("connection")), (500, Some("close")));
    assert_eq!(answer.text(), "The request failed.\n");

    let socket = tokio::net::TcpStream::connect(addr).await.expect("a connection");
    let (mut client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    let connection = spawn(connection);
    for (path, status) in [("/before", 200), ("/panic", 500), ("/after", 200)] {
        let request = http::Request::get(format!("http://test{path}")).body(()).expect("a request");
        let (response, _) = client.send_request(request, true).expect("sent");
        assert_eq!(response.await.expect("an answer").status(), status, "{path}");
    }
    drop(client);
    connection.await.expect("no panic").expect("no error");

    stop.stop("enough");
    let report = task.await.expect("a report");
    assert_eq!(report.outcome, Outcome::Clean, "{report}");
    assert_eq!(report.panics.count, 2, "{report}");
    let named = |name: &str| report.panics.first.iter().any(|message| message.contains(name));
    assert!(named("POST /panic") && named("GET /panic") && named("called in vain"), "{report}");
}

/// Our own answer to the second would be taken for the answer to the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_panics_when_called_answers_for_nobody_else() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let first = |_| async { Answer::Ok(http::Response::new("first".into())) };
    let (addr, stop, task) = panicking(first).await;
    let mut client = tokio::net::TcpStream::connect(addr).await.expect("a connection");
    let both = b"GET / HTTP/1.1\r\nHost: test\r\n\r\nGET /panic HTTP/1.1\r\nHost: test\r\n\r\n";
    client.write_all(both).await.expect("sent");
    let mut got = String::new();
    client.read_to_string(&mut got).await.expect("text to the end");
    let (first, second) = got.split_once("first").expect("the first answer");
    assert!(first.starts_with("HTTP/1.1 200"), "{got}");
    assert!(second.starts_with("HTTP/1.1 500") && second.ends_with("failed.\n"), "{got}");
    stop.stop("enough");
    let report = task.await.expect("a report");
    assert_eq!(report.panics.count, 1, "{report}");
}

/// hyper takes the next request behind a response that is still on its way, where the rest of a body came behind that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_panics_when_called_adds_nothing_to_a_response_that_is_on_its_way() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const LONG: usize = 32 << 20;
    let (addr, stop, task) = panicking(|request| {
        // Its body is read on while the response is on its way.
        spawn(axum::body::to_bytes(axum::body::Body::new(request.into_body()), 100));
        async { Answer::Ok(http::Response::new(vec![b'x'; LONG].into())) }
    })
    .await;
    let mut client = tokio::net::TcpStream::connect(addr).await.expect("a connection");
    let half = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf ";
    client.write_all(half).await.expect("sent");
    // Until the socket takes no more of the response.
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.write_all(b"whole").await.expect("sent");
    client.write_all(b"GET /panic HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut got = Vec::new();
    // A reset says as well as an end of the stream that it is cut.
    let _ = client.read_to_end(&mut got).await;
    let text = String::from_utf8_lossy(&got);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (body, more) = body.split_at(body.len().min(LONG));
    let strange = body.bytes().position(|byte| byte != b'x');
    assert_eq!(strange, None, "something in the middle of the response");
    assert!(more.is_empty() || more.starts_with("HTTP/1.1 500"), "{more}");
    stop.stop("enough");
    let report = task.await.expect("a report");
    assert_eq!(report.panics.count, 1, "{report}");
}
