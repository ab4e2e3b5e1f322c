//! Process after process, every second one with TLS: started, put under load, stopped by SIGTERM, every request judged.

use std::time::{Duration, Instant};

use lameduck_testkit::{Certificate, eventually, pause};

use crate::clients::{clients, unanswered};
use crate::lane::Lane;
use crate::part::{Part, Standing};
use crate::stops::Stops;
use crate::target::{User, on_loopback, with};

const NAME: &str = "a process per stop";

/// How long a service may take until it has answered each kind of client.
const STARTING: Duration = Duration::from_secs(20);

pub(crate) fn run(lane: &Lane, every: Duration) -> Part {
    let mut stops = Stops::of(NAME);
    let mut faults = Vec::new();
    let certificate = Certificate::new();
    while !lane.is_over() {
        let certificate = Some(&certificate).filter(|_| stops.so_far().0 % 2 == 1);
        let server = with(on_loopback(User::Ordinary), certificate).start();
        server.ready();
        let loads = clients(server.addr(), certificate);
        if !eventually(STARTING, || unanswered(&loads).is_none()) {
            faults.extend(unanswered(&loads));
        }
        let end = Instant::now() + every;
        while Instant::now() < end && !lane.is_over() {
            pause(Duration::from_millis(20));
        }
        faults.extend(stops.end(&server, loads).err());
        let (number, tally) = stops.so_far();
        let (answered, failed) = (tally.answered, tally.failed() + faults.len() as u64);
        lane.say(Standing { stops: number, answered, failed, holds: None });
    }
    let figures = stops.counted();
    Part::new(NAME, &figures.took, figures.all, faults)
}
