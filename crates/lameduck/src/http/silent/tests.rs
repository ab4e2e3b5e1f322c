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
fn it_waits_for_the_first_byte_and_leaves_it_in_the_socket() {
    run(async |connections| {
        let (mut client, mut silent) = pair(&connections).await;
        let quiet = tokio::time::timeout(Duration::from_millis(50), &mut silent).await;
        assert!(quiet.is_err(), "nobody spoke");
        client.write_all(b"GET").await.unwrap();
        let (mut socket, membership) = silent.await.expect("a socket");
        let mut head = [0; 3];
        socket.read_exact(&mut head).await.unwrap();
        assert_eq!((&head, connections.len()), (b"GET", 1));
        drop((socket, membership));
        assert_eq!(connections.len(), 0);
    });
}

#[test]
fn a_peer_that_leaves_without_a_word_is_handed_on_to_be_seen_off() {
    run(async |connections| {
        let (client, silent) = pair(&connections).await;
        drop(client);
        let (mut socket, _membership) = silent.await.expect("a socket");
        assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0);
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
