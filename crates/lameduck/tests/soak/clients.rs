//! The clients of one service: the mixed load, connections that stay silent, and clients that break off.

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{Certificate, Idle, Rude};

use crate::load::Load;
use crate::mix::{KINDS, Mix};

/// Five of these run side by side.
const MIX: Mix = Mix { kept: 8, fresh: 2, streams: 4, uploads: 3, http2: 2 };

/// All that a service has to bear; over TLS if it has a certificate.
pub(crate) fn clients(addr: SocketAddr, certificate: Option<&Certificate>) -> Vec<Box<dyn Load>> {
    let tls = certificate.is_some();
    let mut loads = MIX.start(addr, Duration::ZERO, tls);
    let (idle, rude) = (Idle::new(addr).clients(6), Rude::new(addr).clients(3));
    let (idle, rude) = if tls { (idle.tls(), rude.tls()) } else { (idle, rude) };
    loads.push(Box::new(idle.start()));
    loads.push(Box::new(rude.start()));
    loads
}

/// Of which kinds of clients nothing was answered so far, in words. The rude ones, which come last, wait for no answer.
pub(crate) fn unanswered(loads: &[Box<dyn Load>]) -> Option<String> {
    let kinds = KINDS.into_iter().chain(["idle connections"]);
    let silent = kinds.zip(loads).filter(|(_, load)| load.answered() == 0);
    let names: Vec<&str> = silent.map(|(kind, _)| kind).collect();
    (!names.is_empty()).then(|| format!("nothing was answered to: {}", names.join(", ")))
}

/// How many of their requests were answered so far.
pub(crate) fn answered(loads: &[Box<dyn Load>]) -> u64 {
    loads.iter().map(|load| load.answered()).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use lameduck_testkit::Tally;

    use super::*;

    /// A load of which so many requests were answered.
    struct Answered(u64);

    impl Load for Answered {
        fn answered(&self) -> u64 {
            self.0
        }

        fn signalled(&self, _: Instant) {}

        fn stop(&self) {}

        fn tally(self: Box<Self>) -> Tally {
            Tally::default()
        }
    }

    #[test]
    fn a_kind_of_client_that_got_no_answer_is_named_and_the_rude_ones_wait_for_none() {
        let of = |answered: [u64; 7]| {
            unanswered(&answered.map(|count| Box::new(Answered(count)) as Box<dyn Load>))
        };
        assert_eq!(of([1, 1, 1, 1, 1, 1, 0]), None);
        let silent = "nothing was answered to: HTTP/2, idle connections";
        assert_eq!(of([1, 1, 1, 1, 0, 0, 0]).as_deref(), Some(silent));
    }
}
