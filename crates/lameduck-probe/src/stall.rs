//! Whether this machine stood still while a case ran: then what was late or lost says little about the server.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::outcome::Outcome;
use crate::record::{Micros, Record};
use crate::tape::Tape;
use crate::verdict::{Judgement, Verdict};

const TICK: Duration = Duration::from_millis(10);
/// From here on it may be the machine that lost a request. Servers give an idle connection little more than a round
/// trip after the signal, and their answers at the deadline about as much; a client, a relay or a server that did not
/// run for that long misses it.
const STOOD_STILL: Micros = 100_000;

/// The times in which a short sleep overslept.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    /// The longest of all, in milliseconds.
    longest_ms: u64,
    /// From when to when, where it was [`STOOD_STILL`] or more.
    long: Vec<(Micros, Micros)>,
}

impl Stall {
    /// Watches until it is dropped.
    pub(crate) async fn watch(&mut self, tape: &Tape) -> Infallible {
        loop {
            let asleep = Instant::now();
            sleep(TICK).await;
            let late = asleep.elapsed().saturating_sub(TICK);
            self.longest_ms =
                self.longest_ms.max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
            let (from, to) = (tape.at(asleep), tape.now());
            if to - from >= STOOD_STILL {
                self.long.push((from, to));
            }
        }
    }

    /// The verdict, unless it is one that the machine may have caused: a lateness that it had at least half a part in,
    /// a request that was lost or cut after the machine had stood still behind the signal, or a case that could not be
    /// run while it did.
    pub(crate) fn discount(
        &self,
        judgement: Judgement,
        record: &Record,
    ) -> Result<Judgement, Judgement> {
        let stood_ms = match judgement.verdict {
            Verdict::Late { by_ms } if self.longest_ms.saturating_mul(2) >= by_ms => {
                self.longest_ms
            }
            Verdict::Lost { .. } | Verdict::Cut => match self.before_a_loss(record) {
                Some(stood) => stood / 1000,
                None => return Ok(judgement),
            },
            // Clients that stood still too come to find, say, that there is nothing left to ask.
            Verdict::CouldNotRun if self.longest_ms * 1000 >= STOOD_STILL => self.longest_ms,
            Verdict::Pass
            | Verdict::Skipped
            | Verdict::CouldNotRun
            | Verdict::Odd
            | Verdict::Late { .. }
            | Verdict::Hung => return Ok(judgement),
        };
        let why =
            format!("this machine stood still for {stood_ms} ms meanwhile: {}", judgement.why);
        Err(Judgement { verdict: Verdict::CouldNotRun, figure: judgement.figure, why })
    }

    /// How long it stood still at the most, between the signal and the last request that was lost or cut.
    fn before_a_loss(&self, record: &Record) -> Option<Micros> {
        let signals = record.processes.iter().filter_map(|process| process.signals.first());
        let signal = signals.map(|(_, at)| *at).min()?;
        let broken = |outcome| matches!(outcome, Outcome::Lost | Outcome::Cut);
        let losses = record.exchanges.iter().filter(|exchange| broken(exchange.outcome));
        let loss = losses.map(|exchange| exchange.end).max()?;
        let between = self.long.iter().filter(|(from, to)| *to > signal && *from < loss);
        between.map(|(from, to)| to - from).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Exchange, Process, Role};

    fn judged(verdict: Verdict) -> Judgement {
        Judgement { verdict, figure: String::new(), why: "late".to_owned() }
    }

    #[test]
    fn only_a_lateness_that_the_machine_may_have_caused_is_discounted() {
        let of = |longest_ms, verdict| {
            Stall { longest_ms, long: Vec::new() }.discount(judged(verdict), &Record::default())
        };
        let late = Verdict::Late { by_ms: 400 };
        assert_eq!(of(5, late), Ok(judged(late)));
        assert_eq!(of(199, late), Ok(judged(late)));
        let discounted = of(200, late).unwrap_err();
        assert_eq!(discounted.verdict, Verdict::CouldNotRun);
        assert_eq!(discounted.why, "this machine stood still for 200 ms meanwhile: late");
        assert_eq!(of(99, Verdict::CouldNotRun), Ok(judged(Verdict::CouldNotRun)));
        assert_eq!(of(100, Verdict::CouldNotRun).unwrap_err().verdict, Verdict::CouldNotRun);
        for other in [Verdict::Pass, Verdict::Odd, Verdict::Hung] {
            assert_eq!(of(9_000, other), Ok(judged(other)), "nothing else takes long by itself");
        }
    }

    #[test]
    fn a_loss_is_discounted_only_if_the_machine_stood_still_between_the_signal_and_it() {
        let process = Process {
            started: 0,
            ready: None,
            signals: vec![(15, 1_000_000)],
            listener_closed: None,
            exit: None,
            watched_until: 5_000_000,
            output: String::new(),
        };
        let lost = Exchange {
            connection: 0,
            role: Role::Load,
            request: "GET /".to_owned(),
            connect: 0,
            sent: Some(1_500_000),
            first_byte: None,
            end: 2_000_000,
            outcome: Outcome::Lost,
            status: None,
            says_close: false,
            retry_after: false,
            detail: None,
        };
        let record =
            Record { processes: vec![process], exchanges: vec![lost], ..Record::default() };
        let verdict = Verdict::Lost { lost: 1, of: 9 };
        let of = |from: u64, to: u64| {
            let long = vec![(from * 1000, to * 1000)];
            Stall { longest_ms: 0, long }.discount(judged(verdict), &record)
        };
        assert_eq!(of(700, 900), Ok(judged(verdict)), "before the signal");
        assert_eq!(of(2_100, 2_400), Ok(judged(verdict)), "behind the loss");
        for (from, to) in [(900, 1_100), (1_200, 1_350), (1_900, 2_300)] {
            assert_eq!(of(from, to).unwrap_err().verdict, Verdict::CouldNotRun, "{from} to {to}");
        }
    }
}
