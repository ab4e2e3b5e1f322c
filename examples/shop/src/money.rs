//! Amounts of money in whole cents.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in cents: a number in JSON, `3.50` in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub i64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Cents;

    #[test]
    fn cents_read_as_a_price() {
        assert_eq!(Cents(350).to_string(), "3.50");
        assert_eq!(Cents(-5).to_string(), "-0.05");
    }
}
