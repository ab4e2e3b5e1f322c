//! A listener closes under clients that open a connection for each request.
//!
//! On loopback nearly every handshake is over before it can be lost; so it is done across a wire as well. The clients
//! start over more than two round trips: in step they would leave the listener without a handshake under way for most
//! of the time, and hide the loss.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use lameduck_testkit::{Fresh, Link, Running};
use libtest_mimic::Trial;

use crate::load::Load;
use crate::need::{Need, Needs};
use crate::stops::{Stops, runs};
use crate::target::{User, target};

const CLIENTS: usize = 100;

/// What the listener is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bind {
    V4,
    V6,
    AnyV4,
    /// With clients of both families.
    AnyV6,
}

const BINDS: [(Bind, &str); 4] = [
    (Bind::V4, "ipv4"),
    (Bind::V6, "ipv6"),
    (Bind::AnyV4, "any_ipv4"),
    (Bind::AnyV6, "any_ipv6_with_clients_of_both"),
];
const USERS: [(User, &str); 2] = [(User::Root, "by_root"), (User::Ordinary, "by_an_ordinary_user")];
const ROUND_TRIPS: [(u64, &str); 3] = [(0, "on_loopback"), (20, "20_ms_away"), (80, "80_ms_away")];

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (round_trip, away) in ROUND_TRIPS {
        for (bind, bound) in BINDS {
            for (user, by) in USERS {
                let name = format!("fresh_connections_survive_a_listener_on_{bound}_{by}_{away}");
                let mut need = vec![];
                if user == User::Root {
                    need.push(Need::Root);
                }
                if round_trip > 0 {
                    need.push(Need::Link);
                } else if matches!(bind, Bind::V6 | Bind::AnyV6) {
                    need.push(Need::Ipv6);
                }
                let title = name.clone();
                trials.push(needs.trial(&name, &need, move || {
                    case(&title, user, bind, Duration::from_millis(round_trip))
                }));
            }
        }
    }
    trials
}

fn case(name: &str, user: User, bind: Bind, round_trip: Duration) -> Result<(), String> {
    let link = if round_trip.is_zero() { None } else { Some(Link::new(round_trip / 2)?) };
    let (v4, v6) = match &link {
        Some(link) => (IpAddr::V4(link.server.v4), IpAddr::V6(link.server.v6)),
        None => (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
    };
    let (host, reached) = match bind {
        Bind::V4 => (v4, vec![v4]),
        Bind::V6 => (v6, vec![v6]),
        Bind::AnyV4 => (Ipv4Addr::UNSPECIFIED.into(), vec![v4]),
        Bind::AnyV6 => (Ipv6Addr::UNSPECIFIED.into(), vec![v6, v4]),
    };
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let mut command = target(user, host, reached[0]);
        if let Some(link) = &link {
            command = command.netns(&link.server.netns);
        }
        let server = command.start();
        server.ready();
        let port = server.addr().port();
        let start = || {
            let each = CLIENTS / reached.len();
            let of = |&addr: &IpAddr| -> Box<dyn Load> {
                Box::new(start((addr, port).into(), each, round_trip, false))
            };
            reached.iter().map(of).collect::<Vec<_>>()
        };
        let loads = match &link {
            Some(link) => link.client.run(start),
            None => start(),
        };
        let report = stops.stop(&server, loads, 2 * CLIENTS as u64, round_trip);
        let public = report["parts"]
            .as_array()
            .and_then(|parts| parts.iter().find(|part| part["name"] == "public"));
        let way = public.and_then(|part| part["detail"].as_str()).unwrap_or_default();
        let without_loss = "dropped new connections until no handshake was under way";
        if !way.starts_with(without_loss) || way.contains("cut off") {
            return Err(format!("{name}: the listener was closed in another way: {way:?}"));
        }
    }
    stops.figures().lossless()
}

/// Clients whose starts are spread over more than two round trips.
pub(crate) fn start(
    addr: std::net::SocketAddr,
    clients: usize,
    round_trip: Duration,
    tls: bool,
) -> Running {
    let spread = round_trip.mul_f64(2.5).max(Duration::from_millis(20));
    let fresh = Fresh::new(addr).clients(clients).spread(spread).expect("OK");
    if tls { fresh.tls().start() } else { fresh.start() }
}
