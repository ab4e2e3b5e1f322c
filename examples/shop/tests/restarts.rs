//! Restarts of the shop in the middle of its work: what was ordered is bought once, whichever process did it, and no
//! buyer sees that there was another.

mod common;

use std::time::Duration;

use common::buyers::Buyers;
use common::{Database, LIMIT, Shop};
use lameduck_testkit::{Generations, eventually, pause};

/// How often it restarts.
const RESTARTS: u64 = 10;

/// 1. Twelve buyers keep their connection, four connect for each purchase. 2. The shop is told to restart at another
///    moment each time: between a debit and its item as well. 3. Every wallet paid for what was recorded, no buyer was
///    refused, turned away or lost, and no connection had to be opened again.
#[test]
fn a3_debits_equal_items_over_10_restarts_under_load() {
    let database = Database::new();
    let environment = [("SHOP_PAYMENT_DELAY", "20ms"), ("SHOP_SETTLE_EVERY", "200ms")];
    let mut shop = Shop::start(&database, &environment);
    for buyer in Buyers::names() {
        shop = shop.with_wallet(&buyer);
    }
    let buyers = Buyers::start(shop.server.addr());
    let mut generations = Generations::of(shop.server);
    for restart in 1..=RESTARTS {
        let flowing = buyers.bought() + 40;
        let came = eventually(LIMIT, || buyers.bought() >= flowing);
        assert!(came, "restart {restart}: nobody buys\n{}", generations.server().transcript());
        pause(Duration::from_millis(restart * 3));
        generations.restart(LIMIT).unwrap();
    }
    let flowing = buyers.bought() + 40;
    assert!(eventually(LIMIT, || buyers.bought() >= flowing), "nobody buys any more");
    let tally = buyers.finish();
    let settled = || database.number("SELECT count(*) FROM settled");
    assert!(eventually(LIMIT, || settled() == tally.bought as i64), "{} settled", settled());
    let reports = generations.stop(LIMIT).unwrap();
    println!("{RESTARTS} restarts, {} purchases", tally.bought);
    assert_eq!(reports.len(), RESTARTS as usize + 1, "{}", generations.server().transcript());
    assert!(reports.iter().all(|report| report["outcome"] == "clean"), "{reports:?}");
    assert_eq!(tally.lost, Vec::<String>::new(), "requests without an answer");
    assert_eq!((tally.refused, tally.turned_away, tally.reconnects), (0, 0, 0));
    database.assert_whole(tally.bought as i64);
    database.assert_one_sum();
}
