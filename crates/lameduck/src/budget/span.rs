//! Times as people write them: `5s`, `250ms`, `1m 30s`.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

/// Reads a time such as `5s`, `250ms` or `1m30s`. `None` if it is none, or below zero.
///
/// A bare `0` is a time; any other bare number lacks its unit, and guessing it would be wrong by a factor of
/// a thousand half of the time.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let signed: SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok()
}

/// A time for people: `29 s`, `250 ms`, `1.5 s`, `2 min 5 s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0;
        if time.is_zero() {
            return f.write_str("0 s");
        }
        if time < Duration::from_micros(950) {
            return write!(f, "{} µs", time.as_micros());
        }
        if time < Duration::from_secs(1) {
            let millis = time.as_secs_f64() * 1000.0;
            return if millis < 9.95 {
                write!(f, "{millis:.1} ms")
            } else {
                write!(f, "{millis:.0} ms")
            };
        }
        let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
        if hours > 0 {
            return write!(f, "{hours} h {minutes} min");
        }
        if minutes > 0 {
            return write!(f, "{minutes} min {} s", time.as_secs() % 60);
        }
        let seconds = time.as_secs_f64();
        let rounded = format!("{seconds:.2}");
        let short = rounded.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{short} s")
    }
}
