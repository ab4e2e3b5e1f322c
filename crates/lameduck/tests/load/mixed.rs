//! Everything at once: kept connections, fresh ones, streams, uploads and HTTP/2.

use std::time::Duration;

use lameduck_testkit::{Certificate, Link};
use libtest_mimic::Trial;

use crate::mix::Mix;
use crate::need::{Need, Needs};
use crate::stops::{Stops, runs};
use crate::target::{User, target, with};

/// Enough to keep two cores busy.
pub(crate) const MIX: Mix = Mix { kept: 20, fresh: 20, streams: 10, uploads: 10, http2: 5 };

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
        let server = with(command, certificate.as_ref()).start();
        server.ready();
        let start = || MIX.start(server.addr(), round_trip, tls);
        let loads = match &link {
            Some(link) => link.client.run(start),
            None => start(),
        };
        stops.stop(&server, loads, 300, Duration::from_millis(100));
    }
    stops.figures().lossless()
}
