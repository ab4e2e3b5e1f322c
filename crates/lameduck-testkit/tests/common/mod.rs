//! Servers of a few lines, each with one behaviour.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// Serves each connection on a thread by `serve`, until the test process ends.
pub(crate) fn serve(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    addr
}

/// Reads a request's head; false at the end of the stream.
pub(crate) fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

/// Reads one request, writes `response`, then closes in order.
pub(crate) fn answers_once(response: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(response.as_bytes());
    })
}

/// Reads one request, writes `response`, then resets.
pub(crate) fn answers_and_resets(response: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(response.as_bytes());
        // So that the client has read what was sent.
        lameduck_testkit::pause(Duration::from_millis(30));
        reset(stream);
    })
}

/// Answers `OK` to every request of a connection.
pub(crate) fn answers_ok() -> SocketAddr {
    serve(|mut stream| {
        let _ = stream.set_nodelay(true);
        while read_head(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        }
    })
}

pub(crate) fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Serves one connection as [`answers_ok`] does, but closes it as soon as it is idle and `closing` is set: what a
/// server without an idle grace does.
pub(crate) fn answer_until(stream: TcpStream, closing: &AtomicBool) {
    let mut stream = stream;
    let _ = stream.set_nodelay(true);
    loop {
        // Looks every millisecond, so that closing isn't noticed only with the next request.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
        match stream.peek(&mut [0]) {
            Ok(1..) => {}
            Err(error)
                if error.kind() == ErrorKind::WouldBlock && !closing.load(Ordering::Relaxed) =>
            {
                continue;
            }
            Ok(0) | Err(_) => return,
        }
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        if !read_head(&mut stream)
            || stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").is_err()
        {
            return;
        }
    }
}
