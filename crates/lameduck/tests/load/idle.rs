//! Many idle connections go at once, in order, and don't keep the process.

use std::time::Duration;

use lameduck_testkit::{Client, Ending, Signal};
use libtest_mimic::Trial;

use crate::descriptors::allow_descriptors;
use crate::need::Needs;
use crate::stops::Stops;
use crate::target::{User, on_loopback};

const CONNECTIONS: usize = 2000;
const IDLE_GRACE: Duration = Duration::from_millis(250);

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let name = "2000_idle_connections_are_closed_in_order_within_the_idle_grace_and_a_second";
    vec![needs.trial(name, &[], || case(name))]
}

fn case(name: &str) -> Result<(), String> {
    allow_descriptors(2 * CONNECTIONS as u64)?;
    let server = on_loopback(User::Ordinary).env("LAMEDUCK_IDLE_GRACE", "250ms").start();
    server.ready();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(server.addr()).map_err(|error| error.to_string())?;
        client.get("/").map_err(|error| error.to_string())?;
        clients.push(client);
    }
    for client in &mut clients {
        let response = client.read_response().map_err(|error| error.to_string())?;
        assert!(!response.says_close(), "{response:?}");
    }
    let at = server.signal(Signal::TERM);
    let exit = server.wait_exit(Duration::from_secs(10));
    let took = exit.at - at;
    let report = exit.report();
    let mut stops = Stops::of(name);
    stops.add(took, Vec::new());
    stops.answered(CONNECTIONS);
    stops.figures();
    let ended: Vec<Ending> =
        clients.iter_mut().map(|client| client.ending(Duration::from_secs(1))).collect();
    let wrong = ended.iter().filter(|ending| **ending != Ending::Eof).count();
    let idle = report["connections"]["closed_idle"].as_u64();
    if exit.code == Some(0)
        && wrong == 0
        && idle == Some(CONNECTIONS as u64)
        && (IDLE_GRACE..IDLE_GRACE + Duration::from_secs(1)).contains(&took)
    {
        return Ok(());
    }
    Err(format!("{name}: {wrong} not closed in order; took {took:?}; {report}"))
}
