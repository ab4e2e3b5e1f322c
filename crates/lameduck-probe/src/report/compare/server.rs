//! The runs of one server: of several verdicts on a case the worst counts.

use super::run::Run;
use crate::verdict::Verdict;

/// The runs of one server.
pub(super) struct Server<'a> {
    pub(super) name: String,
    pub(super) runs: Vec<&'a Run>,
}

impl Server<'_> {
    /// The verdicts on a case that say something; all of them if none does.
    fn verdicts(&self, id: &str) -> Vec<Verdict> {
        let all = self.runs.iter().filter_map(|run| run.verdict(id)).map(|j| j.verdict);
        let all: Vec<_> = all.collect();
        let ran: Vec<_> = all.iter().copied().filter(|verdict| verdict.counts()).collect();
        if ran.is_empty() { all } else { ran }
    }

    fn worst(&self, id: &str) -> Option<Verdict> {
        self.verdicts(id).into_iter().max()
    }

    /// How many of how many runs came to the worst verdict's kind.
    pub(super) fn agreed(&self, id: &str) -> (usize, usize) {
        let all = self.verdicts(id);
        let word = self.worst(id).map(Verdict::word);
        (all.iter().filter(|verdict| Some(verdict.word()) == word).count(), all.len())
    }

    /// The worst, and how often it came if not always.
    pub(super) fn cell(&self, id: &str) -> String {
        let Some(worst) = self.worst(id) else { return "-".to_owned() };
        match self.agreed(id) {
            (agreed, all) if agreed < all => format!("{} ({agreed} of {all} runs)", cell(worst)),
            (_, _) => cell(worst),
        }
    }

    /// How many cases passed, of those that ran.
    pub(super) fn score(&self, ids: &[&str]) -> String {
        let worst: Vec<_> = ids.iter().filter_map(|id| self.worst(id)).collect();
        let passed = worst.iter().filter(|verdict| **verdict == Verdict::Pass).count();
        format!("{passed} of {}", worst.iter().filter(|verdict| verdict.counts()).count())
    }
}

fn cell(verdict: Verdict) -> String {
    match verdict {
        Verdict::Lost { lost, of } => format!("lost {lost} of {of}"),
        Verdict::Late { by_ms } => format!("late by {by_ms} ms"),
        verdict @ (Verdict::Pass
        | Verdict::Skipped
        | Verdict::CouldNotRun
        | Verdict::Odd
        | Verdict::Hung
        | Verdict::Cut) => verdict.word().to_owned(),
    }
}
