//! The clients of one service: the mixed load, connections that stay silent, and clients that break off.

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{Certificate, Idle, Rude};

use crate::load::Load;
use crate::mix::Mix;

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

/// How many of their requests were answered so far.
pub(crate) fn answered(loads: &[Box<dyn Load>]) -> u64 {
    loads.iter().map(|load| load.answered()).sum()
}
