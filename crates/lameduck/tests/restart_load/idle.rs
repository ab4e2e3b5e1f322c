//! Thousands of idle connections are handed over at once, and a busy one beside them does not feel it.

use std::time::Duration;

use lameduck_testkit::{Held, KeepAlive, pause};
use libtest_mimic::Trial;

use crate::case::{LONGEST, command, end, passed_on, start};
use crate::descriptors::allow_descriptors;
use crate::need::{Need, Needs};
use crate::target::User;

const CONNECTIONS: usize = 5000;

/// The promise is a second, and 25 ms; the rest is room for a machine that does other things.
const LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let ordinary = "5000_idle_connections_are_handed_over_by_an_ordinary_user";
    let root = "5000_idle_connections_are_handed_over_by_root";
    vec![
        needs.trial(ordinary, &[], || case(ordinary, User::Ordinary)),
        needs.trial(root, &[Need::Root], || case(root, User::Root)),
    ]
}

fn case(name: &str, user: User) -> Result<(), String> {
    allow_descriptors(3 * CONNECTIONS as u64)?;
    let mut generations = start(command(user));
    let addr = generations.server().addr();
    let mut idle = Held::open(addr, CONNECTIONS)
        .map_err(|failure| format!("{name}: an idle connection: {failure}"))?;
    let busy = KeepAlive::new(addr).clients(1).think(Duration::from_millis(1)).expect("OK").start();
    busy.flowing(100);
    pause(Duration::from_millis(500));
    busy.disturbed(true);
    let took = generations.restart(LONGEST).map_err(|why| format!("{name}: {why}"))?;
    busy.flowing(100);
    let (tally, mut latencies) = busy.finish_timed();
    let ended = idle.ended();
    let idle = idle.finish();
    let reports = end(generations).map_err(|why| format!("{name}: {why}"))?;
    println!("{name}: {took:?} from the signal to the predecessor's end; {idle}");
    println!("beside them: {tally}; {}", latencies.summary());
    let passed_on = passed_on(&reports);
    let longest = latencies.disturbed.within(1.0);
    if tally.requests() == tally.answered
        && tally.reconnects == 0
        && ended == 0
        && idle.alive == CONNECTIONS
        && passed_on >= CONNECTIONS as u64
        && took < LIMIT
        && longest < PAUSE
    {
        return Ok(());
    }
    Err(format!("{name}: {passed_on} passed on, {idle}; beside them {tally}, longest {longest:?}"))
}
