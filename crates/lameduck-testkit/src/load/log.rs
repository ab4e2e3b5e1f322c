//! What one client of a load counts.

use std::time::Instant;

use crate::failure::Failure;
use crate::load::latency::Latencies;
use crate::load::tally::Tally;
use lameduck_probe::Outcome;
use lameduck_probe::http1::Response;

/// Kept a client; more would only repeat themselves.
const KEPT: usize = 4;

/// Of a body that is not the expected one.
const SHOWN: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) tally: Tally,
    pub(super) latencies: Latencies,
    pub(super) failures: Vec<(Instant, String)>,
}

impl Log {
    /// Counts a whole response; true if it is the expected one.
    pub(super) fn response(
        &mut self,
        response: &Response,
        expected: Option<&[u8]>,
        who: &str,
    ) -> bool {
        if response.outcome() == Outcome::TurnedAway {
            self.tally.turned_away += 1;
            return false;
        }
        if response.status < 400 && expected.is_none_or(|body| response.body == body) {
            self.tally.answered += 1;
            return true;
        }
        self.bad(&format!("{} ({who})", unexpected(response, expected)));
        false
    }

    /// Counts a failure by the project's words.
    pub(super) fn failure(&mut self, failure: &Failure, who: &str) {
        match failure.outcome() {
            Outcome::Refused => {
                self.tally.refused += 1;
                return;
            }
            Outcome::Lost => {
                self.tally.lost += 1;
                self.tally.reset += u64::from(*failure == Failure::Reset);
            }
            Outcome::Cut => self.tally.cut += 1,
            Outcome::Hung => self.tally.hung += 1,
            Outcome::Bad | Outcome::Answered | Outcome::TurnedAway => self.tally.bad += 1,
        }
        self.keep(format!("{failure} ({who})"));
    }

    pub(super) fn bad(&mut self, what: &str) {
        self.tally.bad += 1;
        self.keep(format!("bad: {what}"));
    }

    fn keep(&mut self, text: String) {
        if self.failures.len() < KEPT {
            self.failures.push((Instant::now(), text));
        }
    }
}

/// What is wrong with a whole response, in a line: bodies may be long.
fn unexpected(response: &Response, expected: Option<&[u8]>) -> String {
    let text: String = response.text().chars().take(SHOWN).collect();
    let so_far = format!("status {}, body {text:?}", response.status);
    let Some(expected) = expected.filter(|_| response.status < 400) else { return so_far };
    let same = response.body.iter().zip(expected).take_while(|(got, wanted)| got == wanted);
    format!(
        "{so_far}, {} bytes for {}, wrong from byte {} on",
        response.body.len(),
        expected.len(),
        same.count()
    )
}
