//! B8: a load balancer's health checks take the traffic away before the drain begins. With a real HAProxy before two
//! shops on one database, which are stopped and started again under load, in turns.
//!
//! Without HAProxy the test is counted as ignored; on the CI machines (`CI=true`) it fails instead.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{Databases, LIMIT, Shop, post};
use lameduck_testkit::{
    Client, Fresh, KeepAlive, Server, Signal, Tally, Tool, eventually, free_port, needing,
};
use libtest_mimic::Arguments;
use serde_json::json;

/// How often HAProxy asks `/readyz`.
const CHECK: Duration = Duration::from_millis(100);
/// How long a stopped shop goes on serving: many checks, also on a machine that stands still for a while. By default it
/// is 5 s.
const LAME_DUCK: Duration = Duration::from_secs(2);
/// How often a shop is stopped.
const STOPS: usize = 6;
const BUYERS: usize = 10;

fn main() -> ExitCode {
    let name = "b8_haproxy_takes_the_traffic_away_before_a_shop_drains";
    let on_sqlite = || no_client_sees_a_stop(&Databases::Sqlite);
    let on_postgres = || no_client_sees_a_stop(&Databases::postgres());
    let trials = vec![
        needing(&[Tool::Haproxy], name, on_sqlite),
        needing(&[Tool::Haproxy, Tool::Postgres], &format!("on_postgresql::{name}"), on_postgres),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn no_client_sees_a_stop(databases: &Databases) {
    let program = Tool::Haproxy.find().unwrap();
    let database = databases.another();
    let ports = [(); 2].map(|()| [free_port(), free_port()]);
    let milliseconds = format!("{}ms", LAME_DUCK.as_millis());
    let environment = [("LAMEDUCK_LAME_DUCK", &*milliseconds), ("SHOP_PAYMENT_DELAY", "100ms")];
    let start = |number: usize| Shop::starting_at(ports[number], &database, &environment);
    let mut shops = [start(0), start(1)];
    // HAProxy takes a shop that it has not checked yet for one that is up.
    shops.iter().for_each(Shop::wait_until_ready);
    let balancer = Balancer::start(&program, database.folder(), ports);
    for shop in 0..2 {
        balancer.wait_until(shop, "UP");
    }
    create_wallet(balancer.address);

    let keep_alive = KeepAlive::new(balancer.address).clients(20).path("/items").start();
    let fresh = Fresh::new(balancer.address).clients(5).path("/wallets/ada").start();
    let buyers = Buyers::start(balancer.address);
    for stop in 0..STOPS {
        let number = stop % 2;
        keep_alive.flowing(100);
        fresh.flowing(50);

        let signalled = shops[number].server.signal(Signal::TERM);
        let sent_to_it = balancer.wait_until(number, "DOWN");
        let noticed = signalled.elapsed();
        assert!(noticed < LAME_DUCK, "HAProxy noticed only after {noticed:?}");
        let exit = shops[number].server.wait_exit(LIMIT);
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(exit.at - signalled >= LAME_DUCK);
        let (status, sent_at_the_end) = balancer.state(number);
        assert_eq!((&*status, sent_at_the_end), ("DOWN", sent_to_it), "sent to a shop marked down");
        println!(
            "stop {}: HAProxy noticed after {} ms, {} requests answered from the signal on, exit after {} ms",
            stop + 1,
            noticed.as_millis(),
            exit.report()["requests"]["completed"],
            (exit.at - signalled).as_millis(),
        );

        shops[number] = start(number);
        let sent_again = balancer.wait_until(number, "UP");
        let used = || balancer.state(number).1 > sent_again;
        assert!(eventually(LIMIT, used), "the shop that came back gets nothing");
    }

    let loads = [keep_alive.finish(), fresh.finish()];
    let bought = buyers.finish();
    println!("{bought:?} purchases");
    for tally in &loads {
        println!("{tally}");
        assert_eq!(tally.answered, tally.requests(), "{tally}");
    }
    assert_eq!(loads.iter().map(Tally::failed).sum::<u64>(), 0);
    let bought = bought.unwrap();
    for shop in shops {
        shop.server.signal(Signal::INT);
        assert_eq!(shop.server.wait_exit(LIMIT).code, Some(0));
    }
    database.assert_whole(bought);
}

fn create_wallet(address: SocketAddr) {
    let mut client = Client::connect(address).unwrap();
    let wallet = json!({ "owner": "ada", "balance": 1_000_000_000 });
    post(&mut client, "/wallets", &wallet).unwrap();
    assert_eq!(client.read_response().unwrap().status, 201);
}

/// HAProxy before two shops. It never tries a request twice, so that each failure comes through. It has one thread: with
/// several, one could mark a shop down while another has chosen that shop and not yet counted the request as sent. A
/// check that is only slow to be answered does not make a shop one that is down.
struct Balancer {
    address: SocketAddr,
    socket: PathBuf,
    _server: Server,
}

impl Balancer {
    fn start(program: &Path, folder: &Path, shops: [[u16; 2]; 2]) -> Self {
        let (port, socket) = (free_port(), folder.join("haproxy.sock"));
        let mut text = format!(
            "global
    maxconn 1000
    nbthread 1
    stats socket {socket} mode 600
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 20s
frontend public
    bind 127.0.0.1:{port}
    default_backend shops
backend shops
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
",
            socket = socket.display()
        );
        for (number, [public, admin]) in shops.iter().enumerate() {
            let check = CHECK.as_millis();
            text += &format!(
                "    server shop{number} 127.0.0.1:{public} check port {admin} inter {check}ms fall 1 rise 1\n"
            );
        }
        let file = folder.join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Server::command(program).arg("-db").arg("-f").arg(&file).addr(address).start();
        server.ready();
        // It listens for clients before its own socket has its name.
        let answers = || UnixStream::connect(&socket).is_ok();
        assert!(eventually(LIMIT, answers), "no stats socket\n{}", server.transcript());
        Self { address, socket, _server: server }
    }

    /// What HAProxy thinks of a shop, and how many requests it has sent to it so far.
    fn state(&self, shop: usize) -> (String, u64) {
        let mut socket = UnixStream::connect(&self.socket).unwrap();
        socket.write_all(b"show stat\n").unwrap();
        let mut table = String::new();
        socket.read_to_string(&mut table).unwrap();
        let mut lines = table.lines();
        let head = lines.next().unwrap().trim_start_matches("# ");
        let column = |name: &str| head.split(',').position(|column| column == name).unwrap();
        let line = lines.find(|line| line.starts_with(&format!("shops,shop{shop},"))).unwrap();
        let value = |name: &str| line.split(',').nth(column(name)).unwrap();
        (value("status").to_owned(), value("stot").parse().unwrap())
    }

    /// Waits until HAProxy thinks so of a shop; how many requests it had sent to it by then.
    #[track_caller]
    fn wait_until(&self, shop: usize, status: &str) -> u64 {
        let limit = Instant::now() + LIMIT;
        loop {
            let (now, sent) = self.state(shop);
            if now == status {
                return sent;
            }
            assert!(Instant::now() < limit, "shop {shop} is {now}, not {status}");
            lameduck_testkit::pause(Duration::from_millis(5));
        }
    }
}

/// Buyers who buy through HAProxy until told to stop. Any answer but a purchase fails the test.
struct Buyers {
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<i64, String>>>,
}

impl Buyers {
    fn start(address: SocketAddr) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let threads = (0..BUYERS).map(|_| {
            let stopped = Arc::clone(&stopped);
            thread::spawn(move || {
                let order = json!({ "owner": "ada", "item": "coffee" });
                let mut client = Client::connect(address).unwrap().limit(LIMIT);
                let mut bought = 0;
                while !stopped.load(Ordering::Relaxed) {
                    let answer = post(&mut client, "/purchases", &order)
                        .and_then(|()| client.read_response())
                        .map_err(|failure| format!("purchase {bought}: {failure}"))?;
                    if answer.status != 201 {
                        return Err(format!(
                            "purchase {bought}: {} {}",
                            answer.status,
                            answer.text()
                        ));
                    }
                    bought += 1;
                }
                Ok(bought)
            })
        });
        let threads = threads.collect();
        Self { stopped, threads }
    }

    /// How many purchases were answered; the first one that was not, if any.
    fn finish(mut self) -> Result<i64, String> {
        self.stopped.store(true, Ordering::Relaxed);
        self.threads.drain(..).map(|buyer| buyer.join().expect("a buyer doesn't panic")).sum()
    }
}

impl Drop for Buyers {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
