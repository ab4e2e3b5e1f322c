//! Everything at once: kept connections, fresh ones, streams, uploads and HTTP/2.

use std::time::Duration;

use lameduck_testkit::{Certificate, KeepAlive, Link};
use libtest_mimic::Trial;

use crate::fresh;
use crate::http2::Http2;
use crate::load::Load;
use crate::need::{Need, Needs};
use crate::stops::{Stops, runs};
use crate::target::{User, target};

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let near = "a_mixed_load_loses_nothing_on_loopback";
    let far = "a_mixed_load_loses_nothing_20_ms_away";
    #[cfg(feature = "tls")]
    let near_tls = "a_mixed_load_over_tls_loses_nothing_on_loopback";
    #[cfg(feature = "tls")]
    let far_tls = "a_mixed_load_over_tls_loses_nothing_20_ms_away";
    vec![
        needs.trial(near, &[], || case(near, Duration::ZERO, false)),
        needs.trial(far, &[Need::Link], || case(far, Duration::from_millis(20), false)),
        #[cfg(feature = "tls")]
        needs.trial(near_tls, &[], || case(near_tls, Duration::ZERO, true)),
        #[cfg(feature = "tls")]
        needs.trial(far_tls, &[Need::Link], || case(far_tls, Duration::from_millis(20), true)),
    ]
}

fn case(name: &str, round_trip: Duration, tls: bool) -> Result<(), String> {
    let certificate = tls.then(Certificate::new);
    let link = if round_trip.is_zero() { None } else { Some(Link::new(round_trip / 2)?) };
    let addr = link.as_ref().map_or([127, 0, 0, 1].into(), |link| link.server.v4.into());
    let mut stops = Stops::of(name);
    for _ in 0..runs() {
        let mut command = target(User::Ordinary, addr, addr);
        if let Some(link) = &link {
            command = command.netns(&link.server.netns);
        }
        if let Some(certificate) = &certificate {
            command = command
                .env("TLS_CERT", certificate.certificate())
                .env("TLS_KEY", certificate.key());
        }
        let server = command.start();
        server.ready();
        let start = || loads(server.addr(), round_trip, tls);
        let loads = match &link {
            Some(link) => link.client.run(start),
            None => start(),
        };
        stops.stop(&server, loads, 300, Duration::from_millis(100));
    }
    stops.figures().lossless()
}

fn loads(addr: std::net::SocketAddr, round_trip: Duration, tls: bool) -> Vec<Box<dyn Load>> {
    let spread = round_trip.mul_f64(2.5).max(Duration::from_millis(50));
    let lines: String = (0..20).map(|line| format!("chunk {line:04}\n")).collect();
    let body: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let kept = KeepAlive::new(addr).spread(spread);
    let kept = if tls { kept.tls() } else { kept };
    vec![
        Box::new(kept.clone().clients(20).expect("OK").start()),
        Box::new(fresh::start(addr, 20, round_trip, tls)),
        // 100 ms each.
        Box::new(kept.clone().clients(10).path("/stream?chunks=20&ms=5").expect(lines).start()),
        // 50 ms each.
        Box::new(
            kept.clients(10)
                .path("/echo")
                .upload(body.clone(), 10, Duration::from_millis(5))
                .expect(body)
                .start(),
        ),
        Box::new(Http2::start(addr, 5, 4, tls)),
    ]
}
