use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::connections::{Connections, Limits, Mode, Peer};
use crate::http::testing;

/// A connection that nobody has spoken on, and its client's end.
async fn pair(connections: &Arc<Connections>) -> (TcpStream, Silent<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let membership = connections.add(Peer::Other, true);
    let server = Guarded::new(server, Arc::clone(membership.record()));
    (client, Silent::new(server, membership))
}

/// Runs a test with a server that is draining, and whose idle grace is over, once `drain` is called.
fn run<F: Future<Output = ()>>(test: impl FnOnce(Arc<Connections>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connections = testing::connections(&runtime);
    connections.set_limits(Limits { idle_grace: Duration::ZERO, ..Limits::default() });
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(10), test(connections)).await.expect("in time");
    });
}

fn drain(connections: &Connections) {
    connections.enter(Mode::Draining);
    connections.tick(Instant::now() + Duration::from_secs(1));
}

#[test]
fn it_waits_for_the_first_bytes_and_hands_them_on_with_the_socket() {
    run(async |connections| {
        let (mut client, mut silent) = pair(&connections).await;
        let quiet = tokio::time::timeout(Duration::from_millis(50), &mut silent).await;
        assert!(quiet.is_err(), "nobody spoke");
        client.write_all(b"GET").await.unwrap();
        let mut spoken = silent.await.expect("a socket");
        assert_eq!((&spoken.first[..], connections.len()), (&b"GET"[..], 1));
        client.write_all(b" /").await.unwrap();
        let mut more = [0; 2];
        spoken.socket.read_exact(&mut more).await.unwrap();
        assert_eq!(&more, b" /");
        drop(spoken);
        assert_eq!(connections.len(), 0);
    });
}

#[test]
fn a_peer_that_leaves_without_a_word_is_handed_on_to_be_seen_off() {
    run(async |connections| {
        let (client, silent) = pair(&connections).await;
        drop(client);
        let mut spoken = silent.await.expect("a socket");
        assert!(spoken.first.is_empty());
        assert_eq!(spoken.socket.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn what_does_not_fit_waits_in_the_socket() {
    run(async |connections| {
        let (mut client, silent) = pair(&connections).await;
        let long = vec![b'x'; FIRST + 100];
        client.write_all(&long).await.unwrap();
        drop(client);
        let mut spoken = silent.await.expect("a socket");
        let mut all = spoken.first.to_vec();
        spoken.socket.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), long.len());
    });
}

#[test]
fn empty_lines_are_no_word() {
    run(async |connections| {
        let (mut client, mut silent) = pair(&connections).await;
        client.write_all(b"\r\n\n").await.unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(50), &mut silent).await;
        assert!(quiet.is_err(), "nothing was said");
        client.write_all(b"\r\nGET").await.unwrap();
        assert_eq!(&silent.await.expect("a socket").first[..], b"GET");
    });
}

#[test]
fn told_to_close_it_closes_and_the_client_sees_an_end_of_stream() {
    run(async |connections| {
        let (mut client, silent) = pair(&connections).await;
        drain(&connections);
        assert!(silent.await.is_none());
        assert_eq!(connections.len(), 0);
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn told_to_close_it_first_looks_whether_its_peer_has_just_spoken() {
    run(async |connections| {
        let (client, silent) = pair(&connections).await;
        // Not by way of the runtime, which so has not heard of it yet.
        client.try_write(b"GET").unwrap();
        drain(&connections);
        assert!(silent.await.is_some(), "a request was on its way");
    });
}
