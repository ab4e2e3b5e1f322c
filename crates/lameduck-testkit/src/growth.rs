//! Whether a process grows, told from what it held from time to time.
//!
//! A busy process never holds the same twice, so single samples say nothing, and neither does the first one: pools
//! fill, allocators take what they will need. The samples are cut into five windows of the same length. The first is
//! the warm-up and not looked at; the median of the last may exceed that of the second by a bound that was stated
//! beforehand. A median needs half of the window's samples to move it, so a peak of load doesn't; what leaks does, since
//! it stays.

use serde::{Deserialize, Serialize};

use crate::sample::Sample;

/// Into how many windows the samples are cut.
const WINDOWS: usize = 5;

/// By how much the last window's median may exceed the second one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Bytes of resident memory.
    pub resident: usize,
}

/// What the windows of a process's samples came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// How many samples there were.
    pub samples: usize,
    /// The median of the second of five windows, each figure by itself.
    pub early: Sample,
    /// The median of the last.
    pub late: Sample,
    /// The most of each figure, at any time.
    pub most: Sample,
}

impl Growth {
    /// Looks at samples in the order of their times. `None`: there are fewer than one for each window.
    #[must_use]
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let length = samples.len() / WINDOWS;
        let window = |number: usize| samples.get(number * length..(number + 1) * length);
        let early = median(window(1)?)?;
        // The last window ends with the last sample.
        let late = median(&samples[samples.len() - length..])?;
        Some(Self { samples: samples.len(), early, late, most: each(samples, max)? })
    }

    /// What grew beyond the bounds, in words; empty if nothing did.
    #[must_use]
    pub fn beyond(&self, bounds: &Bounds) -> Vec<String> {
        let Self { early, late, .. } = self;
        [
            ("descriptors", early.descriptors, late.descriptors, bounds.descriptors),
            ("threads", early.threads, late.threads, bounds.threads),
            ("bytes of memory", early.resident, late.resident, bounds.resident),
        ]
        .into_iter()
        .filter(|(_, early, late, bound)| late.saturating_sub(*early) > *bound)
        .map(|(what, early, late, bound)| {
            format!("{what} grew from {early} to {late}, by more than {bound}")
        })
        .collect()
    }
}

fn median(window: &[Sample]) -> Option<Sample> {
    each(window, |figures| {
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied()
    })
}

fn max(figures: &mut [usize]) -> Option<usize> {
    figures.iter().max().copied()
}

/// Each figure of the samples by itself.
fn each(samples: &[Sample], pick: impl Fn(&mut [usize]) -> Option<usize>) -> Option<Sample> {
    let of = |figure: fn(&Sample) -> usize| {
        pick(&mut samples.iter().map(figure).collect::<Vec<usize>>())
    };
    Some(Sample {
        descriptors: of(|sample| sample.descriptors)?,
        threads: of(|sample| sample.threads)?,
        resident: of(|sample| sample.resident)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { descriptors: 2, threads: 0, resident: 1000 };

    fn samples(descriptors: impl Iterator<Item = usize>) -> Vec<Sample> {
        descriptors
            .map(|descriptors| Sample { descriptors, threads: 4, resident: 100 * descriptors })
            .collect()
    }

    #[test]
    fn what_goes_up_and_down_does_not_grow() {
        let growth = Growth::of(&samples((0..600).map(|at| 20 + at % 7))).expect("enough");
        assert_eq!(growth.beyond(&BOUNDS), Vec::<String>::new(), "{growth:?}");
        assert_eq!(growth.most.descriptors, 26);
    }

    #[test]
    fn the_warm_up_is_not_growth() {
        let growth = Growth::of(&samples((0..100).map(|at| at.min(15)))).expect("enough");
        assert_eq!(growth.beyond(&BOUNDS), Vec::<String>::new(), "{growth:?}");
    }

    #[test]
    fn a_peak_at_the_end_is_not_growth() {
        let growth = Growth::of(&samples((0..100).map(|at| if at > 92 { 900 } else { 20 })));
        assert_eq!(growth.expect("enough").beyond(&BOUNDS), Vec::<String>::new());
    }

    #[test]
    fn one_leak_in_a_hundred_samples_is_growth() {
        let growth =
            Growth::of(&samples((0..600).map(|at| 20 + at % 7 + at / 100))).expect("enough");
        let beyond = growth.beyond(&BOUNDS);
        assert_eq!(beyond, ["descriptors grew from 24 to 28, by more than 2"], "{growth:?}");
    }

    #[test]
    fn few_samples_say_nothing() {
        assert_eq!(Growth::of(&samples(0..4)), None);
        assert_eq!(Growth::of(&[]), None);
        assert!(Growth::of(&samples(0..5)).is_some());
    }
}
