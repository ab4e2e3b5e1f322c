//! Handlers that are at work when the signal comes end their work.

use std::time::Duration;

use lameduck_testkit::{Client, KeepAlive, Signal, pause};
use libtest_mimic::Trial;

use crate::need::Needs;
use crate::stops::{Stops, runs};
use crate::target::{User, on_loopback};

const CLIENTS: usize = 50;

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let once = "50_handlers_of_300_ms_in_flight_at_the_signal_all_answer";
    let load = "clients_of_slow_handlers_lose_nothing";
    vec![needs.trial(once, &[], || in_flight(once)), needs.trial(load, &[], || under_load(load))]
}

/// Each client has sent its one request; none has been answered when the signal comes.
fn in_flight(name: &str) -> Result<(), String> {
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let server = on_loopback(User::Ordinary).start();
        server.ready();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut client = Client::connect(server.addr()).map_err(|error| error.to_string())?;
            client.get("/sleep?ms=300").map_err(|error| error.to_string())?;
            clients.push(client);
        }
        // Until the handlers run, long before they end.
        pause(Duration::from_millis(100));
        let at = server.signal(Signal::TERM);
        let mut last = at;
        for (number, client) in clients.iter_mut().enumerate() {
            let response = client.read_response().map_err(|error| format!("{number}: {error}"))?;
            assert_eq!((response.status, response.text().as_ref()), (200, "OK"));
            assert!(response.says_close(), "the head was not out at the signal: {response:?}");
            last = last.max(response.at);
        }
        let exit = server.wait_exit(Duration::from_secs(10));
        let report = exit.report();
        assert_eq!(exit.code, Some(0), "{report}");
        assert_eq!(report["requests"]["completed"], CLIENTS, "{report}");
        println!("exit {:.1} ms after the last response", (exit.at - last).as_secs_f64() * 1e3);
        stops.answered(CLIENTS);
        stops.add(exit.at - at, Vec::new());
    }
    stops.figures();
    Ok(())
}

/// Clients ask for it again and again.
fn under_load(name: &str) -> Result<(), String> {
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let server = on_loopback(User::Ordinary).start();
        server.ready();
        let load = KeepAlive::new(server.addr())
            .clients(CLIENTS)
            .path("/sleep?ms=300")
            .spread(Duration::from_millis(300))
            .expect("OK")
            .start();
        stops.stop(&server, vec![Box::new(load)], CLIENTS as u64, Duration::from_millis(300));
    }
    stops.figures().lossless()
}
