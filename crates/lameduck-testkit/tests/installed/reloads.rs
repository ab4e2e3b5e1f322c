//! The load for restarts sees what reloads of other servers do to their clients: it would see it of ours.

use std::time::Duration;

use lameduck_testkit::{
    Caddy, Crowd, Haproxy, Missing, Nginx, Reload, Reloaded, Reloads, Tool, needing,
};
use libtest_mimic::Trial;

const RELOADS: u32 = 4;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing(&[Tool::Nginx], "nginx_harms_nobody_who_does_not_reload_it", undisturbed),
        needing(&[Tool::Nginx], "reloads_of_nginx_lose_requests_and_end_idle_connections", || {
            harms(Nginx::start());
        }),
        needing(
            &[Tool::Haproxy],
            "reloads_of_haproxy_lose_requests_and_end_idle_connections",
            || {
                harms(Haproxy::start());
            },
        ),
        needing(&[Tool::Caddy], "reloads_of_caddy_lose_requests_and_end_idle_connections", || {
            harms(Caddy::start());
        }),
    ]
}

fn undisturbed() {
    let nginx = Nginx::start().expect("nginx");
    let crowd = Crowd::new(nginx.addr()).start().expect("idle connections");
    crowd.flowing(500);
    let tally = crowd.finish();
    assert_eq!(tally.unharmed(), Ok(()), "{tally}");
    assert!(tally.kept.answered >= 500 && tally.fresh.answered >= 500, "{tally}");
}

/// 1. 40 clients keep their connection, a round trip of 40 ms away, 50 connections are idle. 2. The server ends them as
///    soon as they are idle. 3. Requests on their way are lost, everybody has to connect anew.
fn harms<T: Reload>(server: Result<T, Missing>) {
    let mut server = server.expect("the program is there");
    let reloads = Reloads {
        count: RELOADS,
        window: Duration::from_millis(250),
        round_trip: Duration::from_millis(40),
    };
    let Reloaded { mut crowd, .. } = reloads.run(&mut server).expect("reloads");
    println!("{}: {crowd}\n{}", server.name(), crowd.kept_took.summary());
    assert!(crowd.unharmed().is_err(), "{crowd}");
    assert!(crowd.kept.lost >= u64::from(RELOADS), "{crowd}");
    assert!(crowd.kept.reconnects >= 40, "{crowd}");
    assert_eq!(crowd.idle.alive, 0, "{crowd}");
    assert!(crowd.kept_took.disturbed.count() > 100, "{crowd}");
}
