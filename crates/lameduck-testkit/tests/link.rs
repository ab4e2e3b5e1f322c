//! A link is a wire between two kernels: connects take a round trip too. Needs root; on CI that is an error, not a skip.

#![allow(missing_docs, reason = "a test program")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lameduck_testkit::{Fresh, Link, Server, in_ci};

const ONE_WAY: Duration = Duration::from_millis(20);

fn link(one_way: Duration) -> Option<Link> {
    match Link::new(one_way) {
        Ok(link) => Some(link),
        Err(why) if in_ci() => panic!("no link on CI: {why}"),
        Err(why) => {
            eprintln!("skipped: {why}");
            None
        }
    }
}

fn listen(link: &Link, addr: IpAddr) -> (TcpListener, SocketAddr) {
    let listener =
        link.server.run(|| TcpListener::bind((addr, 0)).expect("the address is there at once"));
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

#[test]
fn a_connect_and_a_request_take_a_round_trip_each_over_both_families() {
    let Some(link) = link(ONE_WAY) else { return };
    for addr in link.server.addresses() {
        let (listener, addr) = listen(&link, addr);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            }
        });
        let mut times = link.client.run(|| {
            (0..5)
                .flat_map(|_| {
                    let start = Instant::now();
                    let mut stream = TcpStream::connect(addr).unwrap();
                    let connected = start.elapsed();
                    let start = Instant::now();
                    stream.write_all(b"x").unwrap();
                    stream.read_exact(&mut [0]).unwrap();
                    [connected, start.elapsed()]
                })
                .collect::<Vec<_>>()
        });
        times.sort();
        println!("{addr}: {times:?}");
        assert!(times[0] >= 2 * ONE_WAY, "{addr}: {times:?}");
        // Not a second round trip. How much later a thread runs is the machine's affair.
        assert!(times[5] < 4 * ONE_WAY, "{addr}: {times:?}");
    }
}

#[test]
fn it_keeps_its_delay_under_load() {
    let Some(link) = link(ONE_WAY) else { return };
    let server = Server::command("/usr/bin/python3")
        .arg("-c")
        .arg(
            "import sys, socketserver as s
class H(s.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nOK')
class S(s.TCPServer):
    allow_reuse_address = True
    request_queue_size = 512
S((sys.argv[1], 8080), H).serve_forever()",
        )
        .arg(link.server.v4.to_string())
        .netns(&link.server.netns)
        .addr((link.server.v4, 8080).into())
        .start();
    server.ready();
    let load = link.client.run(|| Fresh::new(server.addr()).clients(50).expect("OK").start());
    load.flowing(100);
    let (before, start) = (load.answered(), Instant::now());
    let times: Vec<Duration> = link.client.run(|| {
        (0..20)
            .map(|_| {
                let start = Instant::now();
                TcpStream::connect(server.addr()).unwrap();
                start.elapsed()
            })
            .collect()
    });
    let rate = (load.answered() - before) as f64 / start.elapsed().as_secs_f64();
    let tally = load.finish();
    let mut times = times;
    times.sort();
    // A request is some 10 packets.
    println!(
        "{rate:.0} requests/s beside; connects: median {:?}, worst {:?}; {tally}",
        times[10], times[19]
    );
    assert_eq!(tally.failed() + tally.refused, 0, "{tally}");
    // As above: a quarter of them at least, since half may well wait for a processor.
    assert!(times[5] < 4 * ONE_WAY, "{times:?}");
}

#[test]
fn two_links_stand_side_by_side_and_nothing_stays_after_the_drop() {
    let Some(first) = link(ONE_WAY) else { return };
    let Some(second) = link(ONE_WAY) else { return };
    let names: Vec<String> = [&first, &second]
        .iter()
        .flat_map(|link| [link.server.netns.clone(), link.client.netns.clone()])
        .collect();
    assert!(names.iter().all(|name| Path::new("/var/run/netns").join(name).exists()), "{names:?}");
    let outcome = std::panic::catch_unwind(move || {
        let _links = (first, second);
        panic!("on purpose");
    });
    assert!(outcome.is_err());
    assert!(names.iter().all(|name| !Path::new("/var/run/netns").join(name).exists()), "{names:?}");
}

#[test]
fn loopback_works_inside() {
    let Some(link) = link(ONE_WAY) else { return };
    link.client.run(|| {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(addr).unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        }
    });
}

#[test]
fn what_a_killed_test_left_behind_is_swept() {
    // No process can have this id: the kernel's own limit is 4194304.
    let stale = "lameduck-4194305-0-server";
    let made = std::process::Command::new("ip").args(["netns", "add", stale]).status();
    let Some(_link) = link(ONE_WAY) else { return };
    assert!(made.is_ok_and(|status| status.success()));
    assert!(!Path::new("/var/run/netns").join(stale).exists());
}
