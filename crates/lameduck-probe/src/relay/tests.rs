//! Across the relay, against a real listener.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;

const ONE_WAY: Duration = Duration::from_millis(40);
const LONG: Duration = Duration::from_secs(10);

/// A client and its server, a relay between them.
async fn pair() -> (Relay, TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relay = Relay::start(listener.local_addr().unwrap(), ONE_WAY).unwrap();
    let client = TcpStream::connect(relay.addr()).await.unwrap();
    let (server, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    (relay, client, server)
}

async fn byte(stream: &mut TcpStream) -> std::io::Result<usize> {
    timeout(LONG, stream.read(&mut [0])).await.expect("an end within 10 s")
}

#[tokio::test]
async fn bytes_arrive_one_way_later_in_both_directions() {
    let (_relay, mut client, mut server) = pair().await;
    let sent = Instant::now();
    client.write_all(b"x").await.unwrap();
    assert_eq!(byte(&mut server).await.unwrap(), 1);
    assert!(sent.elapsed() >= ONE_WAY, "{:?}", sent.elapsed());
    let sent = Instant::now();
    server.write_all(b"y").await.unwrap();
    assert_eq!(byte(&mut client).await.unwrap(), 1);
    assert!(sent.elapsed() >= ONE_WAY, "{:?}", sent.elapsed());
}

#[tokio::test]
async fn an_end_of_stream_arrives_one_way_later_and_leaves_the_other_direction_open() {
    let (_relay, mut client, mut server) = pair().await;
    let ended = Instant::now();
    server.shutdown().await.unwrap();
    assert_eq!(byte(&mut client).await.unwrap(), 0);
    assert!(ended.elapsed() >= ONE_WAY, "{:?}", ended.elapsed());
    client.write_all(b"x").await.unwrap();
    assert_eq!(byte(&mut server).await.unwrap(), 1);
}

#[tokio::test]
async fn a_reset_arrives_as_a_reset() {
    let (_relay, mut client, server) = pair().await;
    server.set_zero_linger().unwrap();
    let ended = Instant::now();
    drop(server);
    assert_eq!(byte(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(ended.elapsed() >= ONE_WAY, "{:?}", ended.elapsed());
}

#[tokio::test]
async fn who_was_refused_behind_it_can_ask() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = listener.local_addr().unwrap();
    let relay = Relay::start(target, ONE_WAY).unwrap();
    let mut served = TcpStream::connect(relay.addr()).await.unwrap();
    let (server, _) = timeout(LONG, listener.accept()).await.unwrap().unwrap();
    drop((server, listener));
    let _ = byte(&mut served).await;
    assert!(!relay.was_refused(served.local_addr().unwrap()));

    let mut refused = TcpStream::connect(relay.addr()).await.unwrap();
    let _ = byte(&mut refused).await;
    assert!(relay.was_refused(refused.local_addr().unwrap()));
}
