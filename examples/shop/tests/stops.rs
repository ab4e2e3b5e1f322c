//! Stops of the shop in the middle of its work, on a real PostgreSQL: what was ordered is bought once, whatever process
//! it was that did it. B7 (pools, consumers and clients stop too, in order) and A3 (debit and item), many times over.
//!
//! Without PostgreSQL or NATS a test is counted as ignored; on the CI machines (`CI=true`) it fails instead.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use common::buyers::Buyers;
use common::{Database, Databases, LIMIT, Shop};
use lameduck_testkit::{Nats, Postgres, Signal, Tool, eventually, free_port, needing, pause};
use libtest_mimic::Arguments;
use serde_json::{Value, json};

/// How often the shop is stopped under load.
const STOPS: u64 = 20;

fn main() -> ExitCode {
    let trials = vec![
        needing(
            &[Tool::Postgres],
            "b7_after_20_stops_under_load_on_postgresql_every_purchase_is_whole_and_no_connection_is_left",
            stops_under_load,
        ),
        needing(
            &[Tool::Postgres, Tool::Nats],
            "b7_orders_published_while_the_shop_stops_and_starts_are_each_bought_once",
            stops_among_orders,
        ),
        needing(
            &[Tool::Nats],
            "b7_an_order_is_acknowledged_only_once_it_is_recorded_and_comes_again_after_a_sigkill",
            killed_with_orders_in_hand,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// 1. Sixteen buyers order, each order under an id of its own, until the shop answers 201: they ask again when it is
///    away, or says 503.
/// 2. The shop gets SIGTERM at another moment each time, and is started again on the same ports once it has ended.
/// 3. After each stop the database is whole without another start mending it, and nobody is connected to it.
fn stops_under_load() {
    let cluster = Arc::new(Postgres::start().unwrap());
    let database = Databases::Postgres(Arc::clone(&cluster)).another();
    let ports = [free_port(), free_port()];
    let environment = [("SHOP_PAYMENT_DELAY", "20ms"), ("SHOP_SETTLE_EVERY", "200ms")];
    let start = || {
        let shop = Shop::starting_at(ports, &database, &environment);
        shop.wait_until_ready();
        shop
    };
    let mut shop = start();
    for buyer in Buyers::names() {
        shop = shop.with_wallet(&buyer);
    }
    let buyers = Buyers::start(SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0])));
    for stop in 1..=STOPS {
        let flowing = buyers.bought() + 40;
        let came = eventually(LIMIT, || buyers.bought() >= flowing);
        assert!(came, "stop {stop}: nobody buys\n{}", shop.server.transcript());
        pause(Duration::from_millis(stop * 3));
        shop.server.signal(Signal::TERM);
        let exit = shop.server.wait_exit(LIMIT);
        assert_eq!(exit.code, Some(0), "stop {stop}: {}", exit.stderr);
        let report = exit.report();
        assert_eq!(report["outcome"], "clean", "stop {stop}: {report}");
        assert_nobody_connected(&cluster, &database, stop);
        let books = database.books();
        let debits = books.audit.debits;
        assert_eq!(
            (books.audit.torn, books.audit.purchases, books.payments, books.receipts),
            (0, debits, debits, debits),
            "stop {stop}: {books:?}"
        );
        shop = start();
        shop.server.wait_for_stderr("no purchase was left torn", LIMIT);
    }
    let tally = buyers.finish();
    let settled = || database.number("SELECT count(*) FROM settled");
    assert!(eventually(LIMIT, || settled() == tally.bought as i64), "{} settled", settled());
    shop.server.signal(Signal::TERM);
    let exit = shop.server.wait_exit(LIMIT);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_nobody_connected(&cluster, &database, STOPS + 1);

    println!(
        "{STOPS} stops, {} purchases; asked again {} times: {} found nobody, {} were turned away; lost {}",
        tally.bought,
        tally.refused + tally.turned_away,
        tally.refused,
        tally.turned_away,
        tally.lost.len()
    );
    assert_eq!(tally.lost, Vec::<String>::new(), "requests without an answer");
    database.assert_whole(tally.bought as i64);
    database.assert_one_sum();
}

/// PostgreSQL learns of a closed connection a moment later.
#[track_caller]
fn assert_nobody_connected(cluster: &Postgres, database: &Database, stop: u64) {
    let (_, name) = database.url().rsplit_once('/').unwrap();
    let left = || {
        cluster.query(&format!(
            "SELECT pid, state, query FROM pg_stat_activity WHERE datname = '{name}'"
        ))
    };
    let gone = eventually(LIMIT, || left().is_empty());
    assert!(gone, "stop {stop}: still connected: {:?}", left());
}

/// Orders as they come: some before a stop, some while the shop stops, some while it is away. Among them what is no
/// order at all.
fn stops_among_orders() {
    const STOPS: i64 = 6;
    const EACH: i64 = 50;
    let (databases, nats) = (Databases::postgres(), Nats::start().unwrap());
    let database = databases.another();
    let ports = [free_port(), free_port()];
    let environment = [("SHOP_PAYMENT_DELAY", "10ms"), ("NATS_URL", &*nats.url())];
    let start = || {
        let shop = Shop::starting_at(ports, &database, &environment);
        shop.wait_until_ready();
        shop
    };
    let order = json!({ "owner": "ada", "item": "coffee" }).to_string();
    let publish = |text: &str| {
        let taken = nats.request("shop.orders", text);
        assert_eq!(taken["stream"], "ORDERS", "{taken}");
    };
    let mut shop = start().with_wallet("ada");
    for _ in 0..STOPS {
        (0..EACH).for_each(|_| publish(&order));
        publish("this is no order");
        publish(&json!({ "owner": "nobody\0", "item": "coffee" }).to_string());
        shop.server.signal(Signal::TERM);
        (0..EACH).for_each(|_| publish(&order));
        let exit = shop.server.wait_exit(LIMIT);
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        (0..EACH).for_each(|_| publish(&order));
        shop = start();
    }
    let all = STOPS * EACH * 3;
    let consumer = || nats.request("$JS.API.CONSUMER.INFO.ORDERS.shop", "");
    let left = |info: &Value| (info["num_pending"].as_i64(), info["num_ack_pending"].as_i64());
    let done = eventually(LIMIT, || left(&consumer()) == (Some(0), Some(0)));
    assert!(done, "{}\n{}", consumer(), shop.server.transcript());
    let delivered = consumer()["delivered"]["consumer_seq"].as_i64().unwrap();
    println!(
        "{STOPS} stops, {all} orders, {} of them delivered again",
        delivered - all - 2 * STOPS
    );
    shop.server.signal(Signal::TERM);
    let exit = shop.server.wait_exit(LIMIT);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    database.assert_whole(all);
    // The messages' places in the stream, each once: those that are no order bought nothing.
    assert_eq!(
        database.number("SELECT count(*) FROM purchases WHERE id LIKE 'order-ORDERS-%'"),
        all
    );
    let report = exit.report();
    let parts = report["parts"].as_array().unwrap();
    for name in ["orders", "settle", "public", "receipts", "broker", "payments", "provider", "db"] {
        let part = parts.iter().find(|part| part["name"] == name).unwrap();
        assert_eq!(part["state"], "done", "{name}: {report}");
    }
}

/// 1. Orders arrive while nobody can write to the database: they are in hand, and none is acknowledged.
/// 2. The shop is killed, then the database is free again.
/// 3. The next shop gets them again from the broker, and buys each once.
fn killed_with_orders_in_hand() {
    const ORDERS: i64 = 5;
    let nats = Nats::start().unwrap();
    let database = Databases::Sqlite.another();
    let environment = [("SHOP_PAYMENT_DELAY", "0s"), ("NATS_URL", &*nats.url())];
    let shop = Shop::start(&database, &environment).with_wallet("ada");
    let consumer = || nats.request("$JS.API.CONSUMER.INFO.ORDERS.shop", "");
    database.locked(|| {
        for _ in 0..ORDERS {
            let order = json!({ "owner": "ada", "item": "coffee" }).to_string();
            nats.request("shop.orders", &order);
        }
        let in_hand = eventually(LIMIT, || consumer()["num_ack_pending"] == ORDERS);
        assert!(in_hand, "{}\n{}", consumer(), shop.server.transcript());
        pause(Duration::from_millis(300));
        assert_eq!(consumer()["ack_floor"]["consumer_seq"], 0, "acknowledged too early");
        shop.server.signal(Signal::KILL);
        assert_eq!(shop.server.wait_exit(LIMIT).signal, Some(9));
    });
    assert_eq!(database.books().audit.debits, 0);

    let again = Shop::start(&database, &environment);
    again.eventually(&database, |books| books.receipts == ORDERS);
    let acknowledged = eventually(LIMIT, || consumer()["num_ack_pending"] == 0);
    assert!(acknowledged, "{}", consumer());
    again.server.signal(Signal::TERM);
    assert_eq!(again.server.wait_exit(LIMIT).code, Some(0));
    database.assert_whole(ORDERS);
}
