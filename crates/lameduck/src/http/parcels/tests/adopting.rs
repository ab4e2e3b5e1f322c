//! What is adopted, how it ends, and what is not.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::pair::*;
use crate::parcel::Parcel;
use crate::part::Part as _;

fn parcel(socket: impl Into<OwnedFd>, idle: Duration) -> Parcel {
    Parcel { socket: socket.into(), read_ahead: Bytes::new(), spoken: true, idle }
}

/// A connection that nobody accepted by way of a server: its two ends.
fn ends() -> (std::net::TcpStream, Client) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let client = Client::new(listener.local_addr().expect("an address"));
    (listener.accept().expect("accepted").0, client)
}

#[test]
fn a_descriptor_that_is_no_connected_stream_socket_is_given_back() {
    use socket2::{Domain, Socket, Type};
    let pair = Pair::new();
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let lone = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let (pairs, _other) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).expect("two");
    let wrong: [OwnedFd; 5] =
        [reader.into(), listener.into(), udp.into(), lone.into(), pairs.into()];
    for socket in wrong {
        let back = pair.new.source.adopt(parcel(socket, Duration::ZERO));
        assert!(back.is_err(), "no connection");
    }
    assert_eq!(pair.new.open(), 0);
}

#[test]
fn it_is_given_back_by_one_that_is_not_prepared_or_stops() {
    let pair = Pair::new();
    let (near, mut client) = ends();
    pair.new.source.stop();
    let back = pair.new.source.adopt(parcel(near, Duration::ZERO)).expect_err("it stops");
    pair.old.source.adopt(back).expect("taken");
    assert_eq!(client.get("/one").by(), "old");
}

#[test]
fn a_unix_socket_is_adopted_too_and_made_not_to_block() {
    use std::io::{Read as _, Write as _};
    let pair = Pair::new();
    let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("two");
    pair.new.source.adopt(parcel(near, Duration::ZERO)).expect("taken");
    far.write_all(b"GET /unix HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").expect("sent");
    let mut got = String::new();
    far.set_read_timeout(Some(LONG)).expect("set");
    far.read_to_string(&mut got).expect("an answer");
    assert!(got.starts_with("HTTP/1.1 200") && got.ends_with("/unix"), "{got}");
}

#[test]
fn a_connection_that_was_reset_on_its_way_is_nothing_to_give_back() {
    let pair = Pair::new();
    let (near, client) = ends();
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).expect("set");
    drop(client);
    until("the reset is there", || near.peer_addr().is_err());
    pair.new.source.adopt(parcel(near, Duration::ZERO)).expect("taken");
    assert_eq!(pair.new.open(), 0);
}

#[test]
fn the_idle_clock_goes_on_from_where_it_was() {
    let pair = Pair::new();
    let (near, mut client) = ends();
    let kept = near.try_clone().expect("a descriptor");
    pair.new.source.adopt(parcel(near, Duration::from_secs(70))).expect("taken");
    a_while();
    assert_eq!(pair.new.open(), 1, "it has 75 s");
    pair.new.source.tick(Instant::now() + Duration::from_secs(7));
    until("it is closed", || pair.new.open() == 0);
    assert_eq!(pair.new.totals().connections.closed_idle, 1);
    // Though somebody else holds the socket.
    client.ends();
    drop(kept);
}

#[test]
fn every_end_of_an_adopted_connection_reaches_its_client_though_the_predecessor_keeps_the_socket() {
    let pair = Pair::new();
    let mut clients: Vec<Client> = (0..4).map(|_| pair.client()).collect();
    for client in &mut clients[..3] {
        client.get("/");
    }
    until("they are there", || pair.old.open() == 4);
    pair.pass_on();
    until("they are passed on", || pair.old.passed_on() == 4);
    let [idle, closing, streaming, silent] = &mut clients[..] else { unreachable!("four") };
    closing.send("GET /last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    assert_eq!(closing.answer().by(), "new");
    closing.ends();
    // A response whose end only the end of the stream marks must not look whole.
    streaming.send("GET /endless HTTP/1.0\r\n\r\n");
    assert!(streaming.head().starts_with("HTTP/1.0 200"));
    pair.new.source.stop();
    idle.ends();
    silent.ends();
    pair.new.source.abandon();
    let error = streaming.rest().expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(pair.kept.lock().expect("no panic").len(), 4);
}

#[test]
fn one_that_the_successor_did_not_take_is_served_where_it_was_and_drains_from_the_pause_on() {
    let pair = Pair::new();
    let (mut first, mut second) = (pair.client(), pair.client());
    first.get("/");
    second.get("/");
    let own = std::sync::Arc::clone(&pair.old.source);
    let (sender, refused) = std::sync::mpsc::channel();
    pair.old
        .source
        .pass_on(&(std::sync::Arc::new(move |parcel| sender.send(parcel).expect("heard")) as _));
    for _ in 0..2 {
        own.adopt(refused.recv_timeout(LONG).expect("a parcel")).expect("its own");
    }
    until("they were dealt with", || own.is_swept());
    assert_eq!(first.get("/back").by(), "old");
    a_while();
    assert!(refused.try_recv().is_err(), "it is not passed on again");
    own.pause();
    second.send(get("/goodbye"));
    assert!(second.answer().says_close());
    second.ends();
    first.ends();
    until("nothing is left", || own.is_at_rest());
}

#[test]
fn after_a_restart_that_came_to_nothing_all_is_as_before_and_can_be_passed_on() {
    let pair = Pair::new();
    let mut client = pair.client();
    client.get("/");
    let (sender, parcels) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let post = move |parcel| sender.lock().expect("no panic").send(parcel).expect("heard");
    pair.old.source.pass_on(&(std::sync::Arc::new(post) as _));
    let parcel = parcels.recv_timeout(LONG).expect("a parcel");
    pair.old.source.pause();
    pair.old.source.adopt(parcel).expect("taken back");
    pair.old.source.resume();
    let mut late = pair.client();
    for _ in 0..3 {
        for client in [&mut client, &mut late] {
            let got = client.get("/on");
            assert_eq!((got.by(), got.says_close()), ("old", false));
        }
    }
    assert!(parcels.try_recv().is_err());
    pair.pass_on();
    until("they are passed on", || pair.new.open() == 2);
    assert_eq!((client.get("/new").by(), late.get("/new").by()), ("new", "new"));
}

#[test]
fn a_socket_that_others_hold_is_the_same_socket() {
    // What the tests above rely on: the predecessor's descriptor keeps the connection open.
    let (near, mut client) = ends();
    let kept = near.as_fd().try_clone_to_owned().expect("a descriptor");
    drop(near);
    client.stream.set_read_timeout(Some(WHILE)).expect("set");
    let error = client.rest().expect_err("nothing comes");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(kept);
}
