//! Thousands of idle connections go within a second, and one that is busy beside them hardly notices.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::pair::*;
use crate::part::Part as _;

const IDLE: usize = 5_000;

#[test]
fn five_thousand_idle_connections_are_passed_on_beside_a_busy_one() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("raised");
    let pair = Pair::new();
    let to = std::sync::Arc::clone(&pair.new.source);
    let mut clients: Vec<Client> = (0..IDLE).map(|_| pair.client()).collect();
    for client in clients.iter_mut().step_by(2) {
        client.get("/");
    }
    until("they are there", || pair.old.open() == IDLE as u64);
    let mut busy = pair.client();
    busy.get("/busy");
    let began = Instant::now();
    pair.old.source.pass_on(
        &(std::sync::Arc::new(move |parcel| to.adopt(parcel).expect("taken"))
            as crate::parcel::Outbox),
    );
    let (mut longest, mut count) = (Duration::ZERO, 0_usize);
    let mut swept = None;
    while swept.is_none() {
        let asked = Instant::now();
        busy.get("/busy");
        longest = longest.max(asked.elapsed());
        count += 1;
        swept = pair.old.source.is_swept().then(|| began.elapsed());
        assert!(began.elapsed() < LONG, "not swept in time");
    }
    let took = swept.expect("swept");
    until("they are there", || pair.new.open() == IDLE as u64 + 1);
    println!("{IDLE} in {took:?}; {count} requests beside them, the longest {longest:?}");
    assert_eq!(clients[0].get("/one").by(), "new");
    assert_eq!(clients[1].get("/two").by(), "new");
    // Ten times what it is to be on a machine that does nothing else.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(longest < Duration::from_millis(250), "{longest:?}");
}
