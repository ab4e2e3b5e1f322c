//! What the client makes of each way in which a server can end a connection. The servers here are a listener and bytes.

use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
const LONG: Duration = Duration::from_secs(10);

/// What a server does with a connection once a request has come.
#[derive(Debug, Clone, Copy)]
enum Then {
    Answers(&'static [u8]),
    Resets,
}

/// Answers each connection so, once, and ends it.
async fn server(then: Then) -> (Dial, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dial = Dial::direct(listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            match then {
                Then::Answers(bytes) => stream.write_all(bytes).await.unwrap(),
                Then::Resets => stream.set_zero_linger().unwrap(),
            }
        }
    });
    (dial, tasks)
}

/// The exchange that a GET comes to.
async fn get(then: Then, role: Role) -> Exchange {
    let (dial, _tasks) = server(then).await;
    let tape = Tape::start();
    let mut client = Client::connect(&dial, &tape, role).await.unwrap().limit(LONG);
    client.get("/").await;
    client.response().await;
    tape.record().exchanges.pop().unwrap()
}

#[tokio::test]
async fn each_way_of_ending_has_its_word() {
    for (then, outcome) in [
        (Then::Answers(ANSWER), Outcome::Answered),
        (Then::Answers(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), Outcome::TurnedAway),
        (Then::Answers(b""), Outcome::Lost),
        (Then::Resets, Outcome::Lost),
        (Then::Answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOK"), Outcome::Cut),
        (Then::Answers(b"HTTP/1.1 2"), Outcome::Cut),
        (Then::Answers(b"HTTP/1.1 100 Continue\r\n\r\n"), Outcome::Lost),
        (Then::Answers(b"SSH-2.0-x\r\n"), Outcome::Bad),
    ] {
        assert_eq!(get(then, Role::InFlight).await.outcome, outcome, "{then:?}");
    }
}

#[tokio::test]
async fn a_connection_that_nobody_takes_is_refused() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dial = Dial::direct(listener.local_addr().unwrap());
    drop(listener);
    let tape = Tape::start();
    assert!(Client::connect(&dial, &tape, Role::Fresh).await.is_none());
    assert_eq!(tape.record().exchanges[0].outcome, Outcome::Refused);
}

#[tokio::test]
async fn a_server_that_says_nothing_hangs() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let dial = Dial::direct(listener.local_addr().unwrap());
    let tape = Tape::start();
    let client = Client::connect(&dial, &tape, Role::Fresh).await.unwrap();
    let mut client = client.limit(Duration::from_millis(50));
    client.get("/").await;
    client.response().await;
    assert_eq!(tape.record().exchanges[0].outcome, Outcome::Hung);
}

#[tokio::test]
async fn what_a_client_can_know_of_its_connection_it_knows_before_it_sends() {
    let (dial, _tasks) = server(Then::Answers(ANSWER)).await;
    let tape = Tape::start();
    let mut client = Client::connect(&dial, &tape, Role::Load).await.unwrap().limit(LONG);
    assert_eq!(client.look(), Look::Open);
    client.get("/").await;
    assert!(client.response().await.is_some());
    // The server ends the connection behind the answer: an end of stream is on its way.
    let end = Instant::now() + LONG;
    while client.look() == Look::Open && Instant::now() < end {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(client.look(), Look::Eof);
}

/// 1. A server ends each connection behind its answer, in order, and does not say so.
/// 2. Clients think for longer than an end of stream takes to come.
/// 3. They must see it, connect anew, and lose nothing: hundreds of times.
#[tokio::test]
async fn a_server_that_closes_idle_connections_in_order_costs_a_polite_client_nothing() {
    let (dial, _tasks) = server(Then::Answers(ANSWER)).await;
    let tape = Tape::start();
    let what = KeepAlive {
        clients: 20,
        path: "/".to_owned(),
        at_least: Duration::from_millis(5),
        think: Duration::from_millis(5),
        spread: Duration::ZERO,
        limit: LONG,
    };
    let loading = keep_alive(&dial, &tape, &what);
    loading.flowing(400).await.unwrap();
    loading.finish(Duration::ZERO).await;
    // Of a load only failures are kept before a signal.
    assert_eq!(tape.record().exchanges, Vec::new());
}
