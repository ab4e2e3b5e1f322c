//! Binding real sockets: what comes of it, and what is said where it cannot be.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::io::{FdFlags, fcntl_getfd};
use socket2::SockRef;

use super::{Address, BindError, Exclusive, Listener, Local, Problem};

fn bind(address: &str) -> Result<Listener, BindError> {
    Listener::bind(&address.parse().expect("an address"))
}

fn message(address: &str) -> String {
    bind(address).expect_err("cannot be bound").to_string()
}

/// A folder of this test's own, removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let name = format!("lameduck-listen-{name}-{}-{uid}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    fn unix(&self) -> (PathBuf, String) {
        let path = self.0.join("shop.sock");
        let address = format!("unix:{}", path.display());
        (path, address)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_tcp_listener_is_ready_for_the_runtime_and_for_the_sink() {
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0", "localhost:0"] {
        let listener = bind(address).expect(address);
        let socket = SockRef::from(&listener);
        assert!(socket.nonblocking().expect("readable"), "{address}");
        assert!(socket.reuse_address().expect("readable"), "{address}");
        assert!(!socket.reuse_port().expect("readable"), "{address}");
        assert!(fcntl_getfd(&listener).expect("readable").contains(FdFlags::CLOEXEC), "{address}");
        let local = listener.local_addr().expect("bound");
        assert_ne!(local.tcp().expect("TCP").port(), 0, "{address}");
        assert_eq!(local.to_string(), local.tcp().expect("TCP").to_string());
        assert!(matches!(listener, Listener::Tcp { exclusive: Exclusive::Yes, .. }));
    }
}

#[test]
fn an_ipv6_wildcard_takes_both_families() {
    let listener = bind("[::]:0").expect("bind");
    let port = listener.local_addr().expect("bound").tcp().expect("TCP").port();
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("IPv4");
    std::net::TcpStream::connect(("::1", port)).expect("IPv6");
}

#[test]
fn what_cannot_be_bound_is_said_in_one_line() {
    let taken = bind("127.0.0.1:0").expect("bind").local_addr().expect("bound");
    let _taken = std::net::TcpListener::bind(taken.to_string()).expect("bind");
    assert_eq!(
        message(&taken.to_string()),
        format!(
            "cannot listen on {taken}: the address is in use; stop what holds it, or choose \
             another port"
        )
    );
    assert_eq!(
        message("192.0.2.1:8080"),
        "cannot listen on 192.0.2.1:8080: this machine has no such address; choose one of its \
         own, or 0.0.0.0 or [::] for all of them"
    );
    let unknown = bind("name.invalid:80").expect_err("no such name");
    assert!(matches!(unknown.problem, Problem::Unresolved(_)), "{unknown:?}");
    assert!(
        unknown.to_string().starts_with("cannot listen on name.invalid:80: the name cannot be")
    );
    if !rustix::process::getuid().is_root() {
        assert_eq!(
            message("127.0.0.1:80"),
            "cannot listen on 127.0.0.1:80: permission denied; ports below 1024 need \
             CAP_NET_BIND_SERVICE, choose a port of 1024 or above"
        );
        assert_eq!(
            message("unix:/etc/shop.sock"),
            "cannot listen on unix:/etc/shop.sock: permission denied; give this user the right \
             to write in /etc, or choose another path"
        );
    }
    assert_eq!(
        message("unix:/nowhere/shop.sock"),
        "cannot listen on unix:/nowhere/shop.sock: the folder /nowhere does not exist; create it, \
         or choose another path"
    );
}

#[test]
fn a_name_whose_first_address_is_taken_is_not_bound_elsewhere() {
    let port = bind("127.0.0.1:0").expect("bind").local_addr().expect("bound");
    let port = port.tcp().expect("TCP").port();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("bind");
    let error = bind(&format!("localhost:{port}")).expect_err("taken");
    assert!(matches!(error.problem, Problem::InUse), "{error:?}");
}

#[test]
fn a_unix_socket_is_its_owner_s_alone() {
    let folder = Folder::new("mode");
    let (path, address) = folder.unix();
    let listener = bind(&address).expect("bind");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(listener.local_addr().expect("bound"), Local::Unix(Some(path.clone())));
    assert_eq!(listener.local_addr().expect("bound").to_string(), address);
    UnixStream::connect(&path).expect("listening");
}

#[test]
fn a_socket_without_a_process_is_bound_anew() {
    let folder = Folder::new("stale");
    let (path, address) = folder.unix();
    drop(UnixListener::bind(&path).expect("bind"));
    let _listener = bind(&address).expect("bound anew");
    UnixStream::connect(&path).expect("listening");
}

#[test]
fn a_socket_that_is_served_is_left_alone() {
    let folder = Folder::new("served");
    let (path, address) = folder.unix();
    let first = bind(&address).expect("bind");
    let served = format!(
        "cannot listen on {address}: another process serves this socket; stop it, or choose \
         another path"
    );
    assert_eq!(message(&address), served);
    UnixStream::connect(&path).expect("still served");
    drop(first);
    std::fs::remove_file(&path).expect("removed");
    let _datagrams = UnixDatagram::bind(&path).expect("bind");
    assert_eq!(message(&address), served);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = Folder::new("file");
    let (path, address) = folder.unix();
    std::fs::write(&path, "precious").expect("written");
    assert_eq!(
        message(&address),
        format!(
            "cannot listen on {address}: a file that is no socket lies at this path; remove it, \
             or choose another path"
        )
    );
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "precious");
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    let name: Address = "127.0.0.1:80".parse().expect("an address");
    let (one, _other) = UnixStream::pair().expect("a pair");
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    let file = std::fs::File::open("/dev/null").expect("open");
    for descriptor in [one.into(), datagrams.into(), file.into()] {
        let error =
            Listener::inherited(descriptor, Exclusive::Yes, &name).expect_err("no listener");
        assert!(matches!(error.problem, Problem::NotListening), "{error:?}");
    }
}
