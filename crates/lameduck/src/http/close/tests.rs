//! Closing real sockets under real clients. Where the suite runs as root, all of it also runs as an
//! ordinary user.

mod again;
mod unix;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Closed, LIMIT, Way, close};
use crate::http::listen::{Accepted, Address, Incoming, Listener};
use crate::sys;

/// The longest that a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(5);

fn bind(address: &str) -> Listener {
    Listener::bind(&address.parse().expect("an address")).expect("bind")
}

fn address(listener: &Listener) -> SocketAddr {
    listener.local_addr().expect("bound").tcp().expect("TCP")
}

fn ip(text: &str) -> std::net::IpAddr {
    text.parse().expect("an IP address")
}

/// Reads one byte and answers with one, then closes in order.
async fn serve(connection: Accepted) {
    let mut byte = [0];
    match connection {
        Accepted::Tcp(mut stream, _) => {
            if stream.read_exact(&mut byte).await.is_ok() {
                let _gone = stream.write_all(b"k").await;
            }
        }
        Accepted::Unix(mut stream) => {
            if stream.read_exact(&mut byte).await.is_ok() {
                let _gone = stream.write_all(b"k").await;
            }
        }
    }
}

/// Whether an established connection is answered.
fn is_answered(mut stream: impl io::Read + io::Write) -> io::Result<()> {
    stream.write_all(b"x")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer == b"k" { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn ask(stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    is_answered(stream)
}

/// Serves for a while, or not at all, then closes and waits until all is served.
async fn serve_and_close(incoming: Incoming, time: Duration, limit: Duration) -> Closed {
    let mut tasks = JoinSet::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        match tokio::time::timeout_at(end, incoming.accept()).await {
            Ok(connection) => drop(tasks.spawn(serve(connection.expect("a connection")))),
            Err(_elapsed) => break,
        }
    }
    let closed = close(incoming, |connection| drop(tasks.spawn(serve(connection))), limit).await;
    while tasks.join_next().await.is_some() {}
    closed
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

/// Floods `listener` by fresh connections from 100 threads to `targets`, and closes it meanwhile.
/// No connection that was established may be lost.
fn flood(listener: Listener, targets: &[&str]) -> Closed {
    let port = address(&listener).port();
    let (answered, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let lost = Mutex::new(Vec::new());
    let closed = thread::scope(|scope| {
        for number in 0..100 {
            let target = SocketAddr::new(ip(targets[number % targets.len()]), port);
            let (answered, over, lost) = (&answered, &over, &lost);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Ok(stream) = TcpStream::connect_timeout(&target, PATIENCE) else { break };
                    match ask(stream) {
                        Ok(()) => _ = answered.fetch_add(1, Ordering::Relaxed),
                        Err(error) => lost.lock().expect("no panic").push(error.to_string()),
                    }
                }
            });
        }
        let closed = block_on(async {
            let incoming = listener.start().expect("registered");
            serve_and_close(incoming, Duration::from_millis(100), LIMIT).await
        });
        over.store(true, Ordering::Relaxed);
        closed
    });
    let lost = lost.into_inner().expect("no panic");
    let answered = answered.into_inner();
    eprintln!("{targets:?}: {answered} answered, {} lost; {closed:?}", lost.len());
    assert!(answered > 0);
    assert_eq!(lost, Vec::<String>::new(), "{closed:?}");
    for target in targets {
        let error = TcpStream::connect((ip(target), port)).expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    closed
}

/// Three closes in a row, each without loss.
fn flood_bound(at: &str, targets: &[&str]) {
    for _ in 0..3 {
        let closed = flood(bind(at), targets);
        assert_eq!((&closed.way, closed.emptied), (&Way::Sink, true), "{closed:?}");
        assert!(!closed.may_have_lost(), "{closed:?}");
    }
}

#[test]
fn ipv4_flood() {
    flood_bound("127.0.0.1:0", &["127.0.0.1"]);
}

#[test]
fn ipv6_flood() {
    flood_bound("[::1]:0", &["::1"]);
}

#[test]
fn ipv4_wildcard_flood() {
    flood_bound("0.0.0.0:0", &["127.0.0.1", "127.1.2.3"]);
}

#[test]
fn ipv6_wildcard_flood_by_both_families() {
    flood_bound("[::]:0", &["::1", "127.0.0.1"]);
}

/// A TCP listener as another program would bind it.
fn bound_elsewhere(prepare: impl FnOnce(&Socket) -> io::Result<()>) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    prepare(&socket).expect("prepared");
    socket.bind(&SocketAddr::new(ip("127.0.0.1"), 0).into()).expect("bind");
    socket.listen(4096).expect("listen");
    socket
}

fn inherited(socket: Socket, exclusive: bool) -> Listener {
    let name: Address = "127.0.0.1:0".parse().expect("an address");
    Listener::inherited(socket.into(), exclusive.into(), &name).expect("a listener")
}

#[test]
fn an_inherited_listener_that_nobody_else_holds_is_closed_by_the_sink() {
    let socket = bound_elsewhere(|socket| socket.set_reuse_address(true));
    let closed = flood(inherited(socket, true), &["127.0.0.1"]);
    assert_eq!((closed.way, closed.handshakes_left), (Way::Sink, Some(0)));
}

/// Connects `count` clients, closes, and sees that each is answered.
fn close_with_a_queue(listener: Listener, count: usize) -> Closed {
    let at = address(&listener);
    let clients: Vec<TcpStream> =
        (0..count).map(|_| TcpStream::connect(at).expect("established")).collect();
    thread::scope(|scope| {
        let closed = scope.spawn(|| {
            block_on(async {
                let incoming = listener.start().expect("registered");
                serve_and_close(incoming, Duration::ZERO, LIMIT).await
            })
        });
        for client in clients {
            ask(client).expect("an answer");
        }
        closed.join().expect("closed")
    })
}

#[test]
fn connections_that_were_never_accepted_are_served() {
    let closed = close_with_a_queue(bind("127.0.0.1:0"), 300);
    assert_eq!((closed.way, closed.emptied), (Way::Sink, true));
    assert_eq!(closed.accepted, 300);
}

#[test]
fn a_listener_that_became_shared_is_closed_plainly() {
    let closed = block_on(async {
        let mut incoming = bind("127.0.0.1:0").start().expect("registered");
        incoming.set_exclusive(false);
        close(incoming, |_| {}, LIMIT).await
    });
    assert_eq!(closed.way, Way::Shared);
}

#[test]
fn a_quiet_listener_closes_at_once() {
    let closed = close_with_a_queue(bind("[::]:0"), 0);
    assert_eq!((closed.way, closed.accepted), (Way::Sink, 0));
    assert!(closed.took < LIMIT / 2, "{:?}", closed.took);
}

#[test]
fn a_shared_listener_is_emptied_and_goes_on_in_the_other_process() {
    let socket = bound_elsewhere(|socket| socket.set_reuse_address(true));
    let other = socket.try_clone().expect("a duplicate");
    let listener = inherited(socket, false);
    let at = address(&listener);
    let closed = close_with_a_queue(listener, 50);
    assert_eq!(closed.way, Way::Shared);
    assert_eq!((closed.accepted, closed.emptied), (50, true));
    let client = TcpStream::connect(at).expect("still listening");
    other.set_nonblocking(false).expect("blocking");
    let (accepted, _) = other.accept().expect("a connection");
    assert_eq!(accepted.peer_addr().ok().and_then(|a| a.as_socket()), client.local_addr().ok());
}

#[test]
fn a_listener_in_somebody_s_reuseport_group_is_closed_plainly() {
    let socket = bound_elsewhere(|socket| {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)
    });
    let closed = close_with_a_queue(inherited(socket, true), 20);
    let Way::Plain(reason) = &closed.way else { panic!("{closed:?}") };
    assert!(reason.contains("it was in a reuseport group already"), "{reason}");
    assert_eq!((closed.accepted, closed.emptied), (20, true));
}

#[test]
fn a_listener_without_reuseaddr_is_closed_plainly_while_connections_are_open() {
    let socket = bound_elsewhere(|_| Ok(()));
    let closed = close_with_a_queue(inherited(socket, true), 20);
    let Way::Plain(reason) = &closed.way else { panic!("{closed:?}") };
    assert!(reason.starts_with("the sink may not join it"), "{reason}");
    assert_eq!((closed.accepted, closed.emptied), (20, true));
}

#[test]
fn the_address_is_ours_alone_until_it_closes() {
    for at in ["127.0.0.1:0", "[::]:0"] {
        let listener = bind(at);
        let at = address(&listener);
        let second = |prepare: fn(&Socket) -> io::Result<()>| {
            let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
            prepare(&socket)?;
            socket.bind(&at.into())?;
            socket.listen(1)
        };
        let prepared: [fn(&Socket) -> io::Result<()>; 3] = [
            |_| Ok(()),
            |socket| socket.set_reuse_address(true),
            |socket| socket.set_reuse_address(true).and_then(|()| socket.set_reuse_port(true)),
        ];
        for prepare in prepared {
            let error = second(prepare).expect_err("taken");
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        let error = Listener::bind(&at.into()).expect_err("taken");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {at}: the address is in use; stop what holds it, or choose \
                 another port"
            )
        );
        drop(listener);
        second(prepared[0]).expect("free");
    }
}

#[test]
fn a_socket_that_joins_gets_nothing_until_the_program_says_so() {
    let listener = bind("127.0.0.1:0");
    let at = address(&listener);
    let first = socket2::SockRef::from(&listener);
    first.set_reuse_port(true).expect("on");
    let second = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    second.set_reuse_address(true).expect("on");
    second.set_reuse_port(true).expect("on");
    second.set_nonblocking(true).expect("non-blocking");
    second.bind(&at.into()).expect("joined");
    second.listen(64).expect("listen");
    let _clients: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(at).expect("established")).collect();
    assert_eq!(second.accept().expect_err("none").kind(), io::ErrorKind::WouldBlock);
    for _ in 0..50 {
        first.accept().expect("all of them");
    }
}

#[test]
fn how_it_was_closed_is_one_line() {
    let closed = |way, handshakes_left, emptied| {
        let took = Duration::from_micros(20_900);
        Closed { way, accepted: 12, handshakes_left, emptied, took }.to_string()
    };
    assert_eq!(
        closed(Way::Sink, Some(0), true),
        "dropped new connections until no handshake was under way; 12 accepted in 20 ms"
    );
    assert_eq!(
        closed(Way::Sink, Some(2), true),
        "dropped new connections until no handshake was under way; 12 accepted in 20 ms; 2 still \
         in their handshake were cut off"
    );
    assert_eq!(
        closed(Way::SinkUnasked("EPERM".to_owned()), None, true),
        "dropped new connections for 250 ms, since the kernel does not say which handshakes are \
         under way (EPERM); 12 accepted in 20 ms"
    );
    assert_eq!(
        closed(Way::Shared, None, false),
        "accepted until none was waiting; what comes is for the other process that holds the socket; 12 accepted in \
         20 ms; some that were waiting were cut off, for want of descriptors"
    );
}

/// A client whose handshake stays half done: it drops the listener's SYN-ACKs, since they do not
/// come with a time to live of 255.
fn half_connected(to: SocketAddr) -> Socket {
    let client = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
    set_min_hops(&client, to, 255);
    client.set_nonblocking(true).expect("non-blocking");
    let error = client.connect(&to.into()).expect_err("not yet");
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::INPROGRESS.raw_os_error()));
    client
}

fn set_min_hops(client: &Socket, to: SocketAddr, hops: u8) {
    if to.is_ipv6() {
        sys::set_min_hops_v6(client.as_fd(), hops).expect("IPv6");
    } else {
        sys::set_min_ttl_v4(client.as_fd(), hops).expect("IPv4");
    }
}

#[test]
fn a_handshake_under_way_is_waited_for_and_served() {
    for (at, via) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("[::1]:0", "::1"),
        ("[::]:0", "::1"),
        ("[::]:0", "127.0.0.1"),
    ] {
        let listener = bind(at);
        let to = SocketAddr::new(ip(via), address(&listener).port());
        let client = half_connected(to);
        let closed = thread::scope(|scope| {
            scope.spawn(|| {
                // The SYN is repeated after a second, and so is its answer.
                thread::park_timeout(Duration::from_millis(300));
                set_min_hops(&client, to, 0);
                client.set_nonblocking(false).expect("blocking");
                client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                let mut events =
                    [rustix::event::PollFd::new(&client, rustix::event::PollFlags::OUT)];
                rustix::event::poll(&mut events, None).expect("connected");
                is_answered(&client).expect("an answer");
            });
            block_on(async {
                let incoming = listener.start().expect("registered");
                serve_and_close(incoming, Duration::ZERO, PATIENCE).await
            })
        });
        assert_eq!((&closed.way, closed.accepted), (&Way::Sink, 1), "{at} by {via}: {closed:?}");
        assert!(closed.took > Duration::from_millis(300), "{closed:?}");
        assert_eq!(closed.handshakes_left, Some(0), "{closed:?}");
    }
}

#[test]
fn a_handshake_that_never_ends_is_left_at_the_limit() {
    let listener = bind("127.0.0.1:0");
    let _client = half_connected(address(&listener));
    let limit = Duration::from_millis(200);
    let closed = block_on(async {
        let incoming = listener.start().expect("registered");
        serve_and_close(incoming, Duration::ZERO, limit).await
    });
    assert_eq!((&closed.way, closed.handshakes_left), (&Way::Sink, Some(1)));
    assert!(closed.may_have_lost());
    assert!(closed.took >= limit && closed.took < LIMIT, "{closed:?}");
}

#[test]
fn where_the_kernel_cannot_be_asked_it_waits_a_fixed_time() {
    let listener = bind("127.0.0.1:0");
    let at = address(&listener);
    let _queued = TcpStream::connect(at).expect("established");
    let (way, accepted, took) = block_on(async {
        let Incoming::Tcp { listener, .. } = listener.start().expect("registered") else {
            panic!("TCP")
        };
        let began = Instant::now();
        let mut accepted = 0;
        let (way, left, emptied) =
            super::close_tcp(listener, &mut |_| accepted += 1, began + LIMIT, || {
                Err(io::ErrorKind::PermissionDenied.into())
            })
            .await;
        assert_eq!((left, emptied), (None, true));
        (way, accepted, began.elapsed())
    });
    assert_eq!(way, Way::SinkUnasked("permission denied".to_owned()));
    assert_eq!(accepted, 1);
    assert!(took >= super::BLIND && took < LIMIT, "{took:?}");
}

/// A folder of this test's own, removed with what is in it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let folder = format!("lameduck-{name}-{}-{uid}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    fn socket(&self) -> std::path::PathBuf {
        self.0.join("shop.sock")
    }

    fn bind(&self) -> Listener {
        Listener::bind(&Address::Unix(self.socket())).expect("bind")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}
