//! The clients of one service: the mixed load, connections that stay silent, and clients that break off.

use std::net::SocketAddr;
use std::time::Duration;

use lameduck_testkit::{Idle, Rude};

use crate::load::Load;
use crate::mix::Mix;

/// Three of these run side by side.
const MIX: Mix = Mix { kept: 8, fresh: 2, streams: 4, uploads: 3, http2: 2 };

/// All that a service has to bear.
pub(crate) fn clients(addr: SocketAddr) -> Vec<Box<dyn Load>> {
    let mut loads = MIX.start(addr, Duration::ZERO);
    loads.push(Box::new(Idle::new(addr).clients(6).start()));
    loads.push(Box::new(Rude::new(addr).clients(3).start()));
    loads
}

/// How many of their requests were answered so far.
pub(crate) fn answered(loads: &[Box<dyn Load>]) -> u64 {
    loads.iter().map(|load| load.answered()).sum()
}
