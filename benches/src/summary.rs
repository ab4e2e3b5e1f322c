//! A few numbers instead of many.

use serde_json::{Value, json};

/// Median and spread of a measurement's rounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    sorted: Vec<f64>,
}

impl Summary {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Summary {
        assert!(!values.is_empty(), "a summary of nothing");
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Summary { sorted }
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Between the two nearest values in proportion.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let last = self.sorted.len() - 1;
        let place = part * last as f64;
        let below = self.sorted[place.floor() as usize];
        let above = self.sorted[place.ceil() as usize];
        below + (above - below) * place.fract()
    }

    /// `median (quartile to quartile; lowest to highest)`.
    pub(crate) fn spread(&self, decimals: usize) -> String {
        if self.sorted.len() == 1 {
            return format!("{:.decimals$}", self.median());
        }
        format!(
            "{:.decimals$} ({:.decimals$} to {:.decimals$}; {:.decimals$} to {:.decimals$})",
            self.median(),
            self.quantile(0.25),
            self.quantile(0.75),
            self.quantile(0.0),
            self.quantile(1.0),
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "median": self.median(),
            "quartiles": [self.quantile(0.25), self.quantile(0.75)],
            "range": [self.quantile(0.0), self.quantile(1.0)],
        })
    }
}

/// The quantile of many values that are sorted here: latencies.
pub(crate) fn percentile(values: &mut [u64], part: f64) -> u64 {
    values.sort_unstable();
    let place = (values.len() as f64 * part).ceil() as usize;
    values.get(place.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(summary.median(), 2.5);
        assert_eq!(summary.quantile(0.25), 1.75);
        assert_eq!(summary.spread(1), "2.5 (1.8 to 3.2; 1.0 to 4.0)");
    }

    #[test]
    fn a_percentile_is_a_value_that_so_many_do_not_exceed() {
        let mut values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut values, 0.99), 99);
        assert_eq!(percentile(&mut [7], 0.99), 7);
        assert_eq!(percentile(&mut [], 0.99), 0);
    }
}
