//! `02_nats_jetstream`: no message is lost, and none is handled twice but where its acknowledgement was cut.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::{self, stream::Config};
use lameduck_testkit::{Nats, Relay, Server, Signal, Tool, needing};
use libtest_mimic::Trial;

use crate::program::{LIMIT, SECOND, ended, program, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Nats];
    vec![
        needing(
            &tools,
            "b7_twenty_stops_in_the_middle_of_ten_thousand_messages_lose_none_and_repeat_none",
            twenty_stops,
        ),
        needing(&tools, "a_kill_loses_no_message_and_repeats_only_those_in_hand", kills),
        needing(&tools, "what_was_pulled_and_not_begun_is_given_back_at_once", gives_back),
        needing(&tools, "a_nats_that_is_frozen_or_dead_holds_nothing_up", is_gone),
    ]
}

/// How many the example handles at once.
const AT_ONCE: usize = 8;
/// After this the server gives to others what a killed process held.
const ACK_WAIT: Duration = Duration::from_secs(5);

fn twenty_stops() {
    const STOPS: usize = 20;
    const ORDERS: usize = 10_000;
    let shop = Shop::with_orders(ORDERS);
    let mut server = shop.start();
    for stop in 1..=STOPS {
        shop.wait_for(stop * (ORDERS / (STOPS + 2)), &server);
        // Every other one as a rolling deploy does it: the next is there before this one stops.
        let next = (stop % 2 == 0).then(|| shop.start());
        let handled = shop.handled();
        server.signal(Signal::TERM);
        let exit = server.wait_exit(LIMIT);
        ended(&exit, 0);
        assert!(handled > 0 && shop.handled() < ORDERS, "stop {stop} was not in the middle");
        server = next.unwrap_or_else(|| shop.start());
    }
    let count = shop.finish(ORDERS, server);
    println!("{STOPS} stops in the middle of {ORDERS} messages: {count:?}");
    // No acknowledgement was cut: each exit was clean.
    assert_eq!(count, Count { lost: 0, twice: 0 });
}

/// The wire is 10 ms long, and is cut with each process: acknowledgements that are on it are lost.
fn kills() {
    const KILLS: usize = 5;
    const ORDERS: usize = 1_000;
    let shop = Shop::with_orders(ORDERS);
    for kill in 1..=KILLS {
        let (server, wire) = shop.start_afar();
        shop.wait_for(kill * (ORDERS / (KILLS + 2)), &server);
        drop(wire);
        server.signal(Signal::KILL);
        let _ = server.wait_exit(LIMIT);
    }
    let count = shop.finish(ORDERS, shop.start());
    println!("{KILLS} kills in the middle of {ORDERS} messages: {count:?}");
    assert_eq!(count.lost, 0);
    // Some must be: what is in hand waits for its acknowledgement nearly all the time.
    assert!((1..=KILLS * AT_ONCE).contains(&count.twice), "{count:?}");
}

fn gives_back() {
    const ORDERS: usize = 600;
    let shop = Shop::with_orders(ORDERS);
    let (first, _wire) = shop.start_afar();
    shop.wait_for(ORDERS / 4, &first);
    first.signal(Signal::TERM);
    let stopped = first.wait_exit(LIMIT);
    ended(&stopped, 0);
    let second = shop.start();
    shop.wait_for(ORDERS, &second);
    let took = stopped.at.elapsed();
    assert!(took < ACK_WAIT - SECOND, "others had to wait for what it held: {took:?}");
    assert_eq!(shop.finish(ORDERS, second), Count { lost: 0, twice: 0 });
}

fn is_gone() {
    for signal in [Signal::STOP, Signal::KILL] {
        let shop = Shop::with_orders(1_000);
        let command = program("02_nats_jetstream").env("NATS_URL", shop.nats.url());
        let times = [("DRAIN", "1s"), ("FINISH", "500ms"), ("CLOSE", "500ms")];
        let command = times
            .iter()
            .fold(command, |command, (part, time)| command.env(format!("LAMEDUCK_{part}"), time));
        let server = command.env("ORDERS_FILE", &shop.file).start();
        shop.wait_for(100, &server);
        shop.nats.server().signal(signal);
        let signalled = server.signal(Signal::TERM);
        let exit = server.wait_exit(LIMIT);
        let report = ended(&exit, 75);
        let stuck = report["stuck"].as_array().unwrap();
        assert!(stuck.iter().any(|one| one["name"] == "orders"), "{report}");
        assert!(exit.at - signalled < 2200 * Duration::from_millis(1) + SECOND, "{report}");
        if signal == Signal::KILL {
            continue;
        }
        shop.nats.server().signal(Signal::CONT);
        let count = shop.finish(1_000, shop.start());
        println!("a stop while NATS was frozen, in the middle of 1000 messages: {count:?}");
        assert_eq!(count.lost, 0);
        assert!(count.twice <= AT_ONCE, "{count:?}");
    }
}

/// What became of the orders.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    lost: usize,
    twice: usize,
}

/// A NATS with orders in a stream, and the file in which those that handle them leave a line for each.
struct Shop {
    nats: Nats,
    file: PathBuf,
}

impl Shop {
    fn with_orders(orders: usize) -> Self {
        let nats = Nats::start().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(publish(&nats.url(), orders));
        let file = nats.folder().join("orders.log");
        fs::write(&file, "").unwrap();
        Self { nats, file }
    }

    fn start(&self) -> Server {
        self.start_at(&self.nats.url())
    }

    /// One that NATS is 10 ms away from.
    fn start_afar(&self) -> (Server, Relay) {
        let url = self.nats.url();
        let addr = url.strip_prefix("nats://").and_then(|addr| addr.parse().ok()).unwrap();
        let wire = Relay::start(addr, Duration::from_millis(10));
        (self.start_at(&format!("nats://{}", wire.addr())), wire)
    }

    fn start_at(&self, url: &str) -> Server {
        let command = program("02_nats_jetstream").env("NATS_URL", url);
        command.env("ORDERS_FILE", &self.file).start()
    }

    /// How many lines there are.
    fn handled(&self) -> usize {
        fs::read(&self.file).unwrap().iter().filter(|byte| **byte == b'\n').count()
    }

    #[track_caller]
    fn wait_for(&self, lines: usize, server: &Server) {
        wait_until(&format!("{lines} orders handled"), server, || self.handled() >= lines);
    }

    /// Waits until JetStream holds nothing more for anybody, stops the last one, and counts.
    #[track_caller]
    fn finish(&self, orders: usize, server: Server) -> Count {
        wait_until("the end of the stream", &server, || {
            let info = self.nats.request("$JS.API.CONSUMER.INFO.ORDERS.shop", "");
            info["num_pending"] == 0 && info["num_ack_pending"] == 0
        });
        server.signal(Signal::TERM);
        ended(&server.wait_exit(LIMIT), 0);
        let mut lines: BTreeMap<usize, usize> = BTreeMap::new();
        for line in fs::read_to_string(&self.file).unwrap().lines() {
            *lines.entry(line.parse().expect("a whole line")).or_default() += 1;
        }
        let lost = (1..=orders).filter(|order| !lines.contains_key(order)).count();
        let twice = lines.values().map(|times| times - 1).sum();
        Count { lost, twice }
    }
}

async fn publish(url: &str, orders: usize) {
    let nats = async_nats::connect(url).await.unwrap();
    let jetstream = jetstream::new(nats);
    let subjects = vec!["orders.>".to_owned()];
    let config = Config { name: "ORDERS".to_owned(), subjects, ..Config::default() };
    jetstream.create_stream(config).await.unwrap();
    let numbers: Vec<usize> = (1..=orders).collect();
    for some in numbers.chunks(500) {
        let mut stored = Vec::new();
        for number in some {
            let sent = jetstream.publish("orders.tea", number.to_string().into()).await;
            stored.push(sent.unwrap());
        }
        for stored in stored {
            stored.await.unwrap();
        }
    }
}
