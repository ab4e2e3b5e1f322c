//! One part of the soak, as it stands and as it ended.

use std::time::Duration;

use lameduck_testkit::{Bounds, Growth, Sample, Tally};
use serde::Serialize;

/// What a part tells of itself while it runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) stops: usize,
    pub(crate) answered: u64,
    /// Requests whose client was let down, so far.
    pub(crate) failed: u64,
    pub(crate) holds: Option<Sample>,
}

/// What a part came to.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) stops: usize,
    /// The longest stop, in milliseconds.
    pub(crate) longest_ms: f64,
    pub(crate) tally: Tally,
    pub(crate) growth: Option<Growth>,
    /// What may not be, in words; nothing is well.
    pub(crate) faults: Vec<String>,
}

impl Part {
    /// Judges the requests; stops that did not end clean are `faults` already.
    pub(crate) fn new(
        name: &'static str,
        stops: &[Duration],
        tally: Tally,
        mut faults: Vec<String>,
    ) -> Self {
        if tally.failed() + tally.reset + tally.turned_away > 0 {
            faults.push(tally.to_string());
        }
        if tally.answered == 0 {
            faults.push("nothing was answered".to_owned());
        }
        let longest_ms = stops.iter().max().map_or(0.0, |time| time.as_secs_f64() * 1e3);
        Self { name, stops: stops.len(), longest_ms, tally, growth: None, faults }
    }

    /// Judges what a process held from time to time.
    pub(crate) fn holding(mut self, samples: &[Sample], bounds: &Bounds) -> Self {
        self.growth = Growth::of(samples);
        match &self.growth {
            Some(growth) => self.faults.extend(growth.beyond(bounds)),
            None => self.faults.push(format!("{} samples say nothing", samples.len())),
        }
        self
    }
}
