//! One process that serves all the time, and is stopped at the end: what lives long must not grow.

use std::time::Duration;

use lameduck_testkit::{Bounds, Certificate, Sample, pause};

use crate::LIFETIME;
use crate::clients::{answered, clients, unanswered};
use crate::lane::Lane;
use crate::part::{Part, Standing};
use crate::stops::Stops;
use crate::target::{User, on_loopback, with};

const NAMES: [&str; 2] = ["one process", "one process, TLS"];

/// A second is just what may not lie between two looks. A connection that its client reset behind a running handler stays
/// open until the supervisor's next look, once a second, so the descriptors rise all that second and fall at its end (seen:
/// from 53 to 84). Looks a second apart all meet the same moment of it, and each idle connection that the supervisor is due
/// to close moves that moment: a figure that stands still was seen to grow by 5 every 75 s.
const LOOK: Duration = Duration::from_millis(90);

/// It is looked at in the middle of its load, so its descriptors are those of the moment.
const BOUNDS: Bounds = Bounds { descriptors: 8, threads: 3, resident: 6 << 20 };

pub(crate) fn run(lane: &Lane, tls: bool) -> Part {
    let name = NAMES[usize::from(tls)];
    let certificate = tls.then(Certificate::new);
    let mut stops = Stops::of(name);
    let mut samples = Vec::new();
    let target = on_loopback(User::Ordinary).lifetime(LIFETIME);
    let server = with(target, certificate.as_ref()).start();
    server.ready();
    let loads = clients(server.addr(), certificate.as_ref());
    while !lane.is_over() && server.runs() {
        pause(LOOK);
        let holds = Sample::of(&server.proc());
        samples.extend(holds);
        lane.say(Standing { stops: 0, answered: answered(&loads), failed: 0, holds });
    }
    let mut faults: Vec<String> = unanswered(&loads).into_iter().collect();
    faults.extend(stops.end(&server, loads).err());
    let figures = stops.counted();
    Part::new(name, &figures.took, figures.all, faults).holding(&samples, &BOUNDS)
}
