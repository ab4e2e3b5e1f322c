//! Whether this machine stood still while a case ran: then what was late says little about the server.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::verdict::{Judgement, Verdict};

const TICK: Duration = Duration::from_millis(10);

/// The longest time by which a short sleep overslept so far, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    longest_ms: u64,
}

impl Stall {
    /// Watches until it is dropped.
    pub(crate) async fn watch(&mut self) -> Infallible {
        loop {
            let asleep = Instant::now();
            sleep(TICK).await;
            let late = asleep.elapsed().saturating_sub(TICK);
            self.longest_ms =
                self.longest_ms.max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// The verdict, unless it is a lateness that the machine had at least half a part in.
    pub(crate) fn discount(&self, judgement: Judgement) -> Result<Judgement, Judgement> {
        let Verdict::Late { by_ms } = judgement.verdict else { return Ok(judgement) };
        if self.longest_ms.saturating_mul(2) < by_ms {
            return Ok(judgement);
        }
        let why = format!(
            "this machine stood still for {} ms meanwhile: {}",
            self.longest_ms, judgement.why
        );
        Err(Judgement { verdict: Verdict::CouldNotRun, figure: judgement.figure, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lateness_that_the_machine_may_have_caused_is_discounted() {
        let judged = |verdict| Judgement { verdict, figure: String::new(), why: "late".to_owned() };
        let of = |longest_ms, verdict| Stall { longest_ms }.discount(judged(verdict));
        let late = Verdict::Late { by_ms: 400 };
        assert_eq!(of(5, late), Ok(judged(late)));
        assert_eq!(of(199, late), Ok(judged(late)));
        let discounted = of(200, late).unwrap_err();
        assert_eq!(discounted.verdict, Verdict::CouldNotRun);
        assert_eq!(discounted.why, "this machine stood still for 200 ms meanwhile: late");
        for other in [Verdict::Pass, Verdict::Hung, Verdict::Lost { lost: 1, of: 1 }] {
            assert_eq!(of(9_000, other), Ok(judged(other)), "nothing else takes long by itself");
        }
    }
}
