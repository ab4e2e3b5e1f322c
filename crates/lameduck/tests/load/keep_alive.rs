//! Busy clients that keep their connections, as a load balancer's do: their requests cross the server's decision to
//! close on the wire.

use std::time::Duration;

use lameduck_testkit::{KeepAlive, Relay, Running};
use libtest_mimic::Trial;

use crate::need::Needs;
use crate::stops::{Stops, runs};
use crate::target::{User, on_loopback};

const CLIENTS: usize = 50;

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let delays = [(0, "without_delay"), (40, "40_ms_away")];
    let lame_ducks = [(0, "without_a_lame_duck"), (1500, "in_a_lame_duck_of_1500_ms")];
    let mut trials = Vec::new();
    for (lame_duck, with) in lame_ducks {
        for (round_trip, away) in delays {
            let name = format!("busy_keep_alive_clients_lose_nothing_{with}_{away}");
            let title = name.clone();
            trials.push(needs.trial(&name, &[], move || {
                let millis = Duration::from_millis;
                case(&title, millis(lame_duck), millis(round_trip))
            }));
        }
    }
    trials
}

fn case(name: &str, lame_duck: Duration, round_trip: Duration) -> Result<(), String> {
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let server = on_loopback(User::Ordinary)
            .env("LAMEDUCK_LAME_DUCK", format!("{}ms", lame_duck.as_millis()))
            .start();
        server.ready();
        let relay = (!round_trip.is_zero()).then(|| Relay::start(server.addr(), round_trip / 2));
        let addr = relay.as_ref().map_or(server.addr(), Relay::addr);
        let load = start(addr, round_trip);
        stops.stop(&server, vec![Box::new(load)], 6 * CLIENTS as u64, round_trip);
        stops.keep(relay);
    }
    let figures = stops.figures();
    // Every client is told to go at least once, and comes back while the listener is still open.
    let stays = u64::from(!lame_duck.is_zero()) * CLIENTS as u64 * figures.took.len() as u64;
    if figures.all.reconnects < stays {
        return Err(format!(
            "{name}: in the lame duck's last second only {} clients were told to close, of {stays}",
            figures.all.reconnects
        ));
    }
    if let Some(short) = figures.took.iter().find(|&&took| took < lame_duck) {
        return Err(format!("{name}: a stop took {short:?}, less than the lame duck"));
    }
    figures.lossless()
}

/// Clients out of step with one another.
pub(crate) fn start(addr: std::net::SocketAddr, round_trip: Duration) -> Running {
    let spread = round_trip.mul_f64(2.5).max(Duration::from_millis(20));
    KeepAlive::new(addr).clients(CLIENTS).spread(spread).expect("OK").start()
}
