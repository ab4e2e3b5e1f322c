//! Busy clients that keep their connections, as a load balancer's do: their requests cross the server's decision to
//! close on the wire.

use std::time::Duration;

use lameduck_testkit::{Client, KeepAlive, Relay, Running, Signal, pause};
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
    let name = "responses_say_close_in_the_last_second_of_the_lame_duck_and_not_before";
    trials.push(needs.trial(name, &[], || last_second(name)));
    trials
}

/// One client that asks every few milliseconds notes when it is first told to close.
fn last_second(name: &str) -> Result<(), String> {
    let lame_duck = Duration::from_millis(1500);
    let server = on_loopback(User::Ordinary).env("LAMEDUCK_LAME_DUCK", "1500ms").start();
    server.ready();
    let mut client = Client::connect(server.addr()).map_err(|error| error.to_string())?;
    let mut asked = 0;
    let mut signalled = None;
    let told = loop {
        client.get("/").map_err(|error| error.to_string())?;
        let response = client.read_response().map_err(|error| error.to_string())?;
        asked += 1;
        if response.says_close() {
            break response.at;
        }
        signalled = signalled.or_else(|| (asked == 20).then(|| server.signal(Signal::TERM)));
        pause(Duration::from_millis(5));
    };
    let Some(signalled) = signalled else {
        return Err(format!("{name}: told to close before the signal"));
    };
    let exit = server.wait_exit(Duration::from_secs(5));
    let (told, took) = (told - signalled, exit.at - signalled);
    let last_second = lame_duck - Duration::from_secs(1);
    println!("{name}: told to close {told:?} after the signal, exit after {took:?}");
    // The upper bounds leave room for a busy machine.
    let room = Duration::from_millis(400);
    if (last_second..last_second + room).contains(&told)
        && (lame_duck..lame_duck + room).contains(&took)
    {
        return Ok(());
    }
    Err(format!("{name}: told to close {told:?} after the signal, exit after {took:?}"))
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
    // After a stop each client comes back once and is refused. In a lame duck's last second every response sends it
    // away, and it comes back again and again.
    let clients = CLIENTS as u64 * figures.took.len() as u64;
    if !lame_duck.is_zero() && figures.all.reconnects < 3 * clients {
        return Err(format!(
            "{name}: {} reconnects of {clients} clients: they were not told to close in the last second",
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
