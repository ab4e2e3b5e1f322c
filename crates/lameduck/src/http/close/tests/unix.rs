//! Closing Unix sockets.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Folder, block_on, is_answered, serve, serve_and_close};
use crate::http::close::{LIMIT, Way, close};
use crate::http::listen::{Address, Listener};

#[test]
fn a_unix_listener_refuses_the_new_and_serves_the_waiting() {
    let folder = Folder::new("close-unix");
    let path = folder.socket();
    let listener = folder.bind();
    // A second name for the file, by which clients still find it when the first is gone.
    let other = folder.0.join("other.sock");
    std::fs::hard_link(&path, &other).expect("a link");
    let waiting: Vec<UnixStream> =
        (0..50).map(|_| UnixStream::connect(&path).expect("queued")).collect();
    let late = AtomicUsize::new(0);
    let closed = thread::scope(|scope| {
        let closed = scope.spawn(|| {
            block_on(async {
                let incoming = listener.start().expect("registered");
                let mut tasks = JoinSet::new();
                let closed = close(
                    incoming,
                    |connection| {
                        assert!(!path.exists());
                        let error = UnixStream::connect(&other).expect_err("refused");
                        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
                        late.fetch_add(1, Ordering::Relaxed);
                        tasks.spawn(serve(connection));
                    },
                    LIMIT,
                )
                .await;
                while tasks.join_next().await.is_some() {}
                closed
            })
        });
        for client in waiting {
            is_answered(client).expect("an answer");
        }
        closed.join().expect("closed")
    });
    assert_eq!((&closed.way, closed.accepted, closed.emptied), (&Way::Refusing, 50, true));
    assert_eq!(late.into_inner(), 50);
}

#[test]
fn unix_flood() {
    let folder = Folder::new("flood-unix");
    for _ in 0..3 {
        let listener = folder.bind();
        let path = folder.socket();
        let answered = AtomicUsize::new(0);
        let closed = thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    while let Ok(stream) = UnixStream::connect(&path) {
                        is_answered(stream).expect("an answer");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            block_on(async {
                let incoming = listener.start().expect("registered");
                serve_and_close(incoming, Duration::from_millis(50), LIMIT).await
            })
        });
        assert_eq!((&closed.way, closed.emptied), (&Way::Refusing, true), "{closed:?}");
        assert!(answered.into_inner() > 0);
    }
}

#[test]
fn a_socket_file_that_another_process_put_there_stays() {
    let folder = Folder::new("replaced");
    let listener = folder.bind();
    std::fs::remove_file(folder.socket()).expect("removed");
    let _successor = std::os::unix::net::UnixListener::bind(folder.socket()).expect("bind");
    let closed = block_on(async {
        let incoming = listener.start().expect("registered");
        close(incoming, |_| {}, LIMIT).await
    });
    assert_eq!(closed.way, Way::Refusing);
    UnixStream::connect(folder.socket()).expect("the successor's");
}

#[test]
fn a_unix_listener_that_another_process_holds_stays_open() {
    let folder = Folder::new("shared");
    let Listener::Unix { socket, .. } = folder.bind() else { panic!("Unix") };
    let other = socket.try_clone().expect("a duplicate");
    let name: Address = "unix:shared".parse().expect("an address");
    let listener = Listener::inherited(socket.into(), false.into(), &name).expect("a listener");
    let closed = block_on(async {
        let incoming = listener.start().expect("registered");
        close(incoming, |_| {}, LIMIT).await
    });
    assert_eq!(closed.way, Way::Shared);
    let _client = UnixStream::connect(folder.socket()).expect("still served");
    other.accept().expect("a connection");
}
