//! The listener of the servers but lameduck, which makes its own in the same way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// As many as lameduck asks for; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// With TCP_NODELAY, which Linux hands on to what is accepted: lameduck does this, and Go sets it on each connection.
pub(crate) fn bind(port: u16) -> io::Result<TcpListener> {
    let socket = listening(port)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// The socket of such a listener, which blocks.
pub(crate) fn listening(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}
