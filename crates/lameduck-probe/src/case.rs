//! A case: data, and the function that drives it.

use std::pin::Pin;

use crate::blocked::Blocked;
use crate::demand::Demand;
use crate::routes::Need;
use crate::stage::Stage;

/// How much weight a case has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A client loses something, or the process does not end, where it fails.
    Must,
    /// Good behaviour; failing it costs time or clarity.
    Should,
}

impl Level {
    /// As specifications write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// What a driving function returns.
pub type Driving = Pin<Box<dyn Future<Output = Result<(), Blocked>> + Send>>;

/// One case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Stable, and never given to another case: `group/name`.
    pub id: &'static str,
    /// What it proves, as a sentence.
    pub title: &'static str,
    /// How much weight it has.
    pub level: Level,
    /// Why it matters.
    pub why: &'static str,
    /// The specification's or platform's rule behind it.
    pub rule: &'static str,
    /// What the server must have, or the case is skipped.
    pub needs: &'static [Need],
    /// It measures time or loads the machine: nothing runs beside it.
    pub alone: bool,
    /// How often it is run; the worst verdict counts. More than once where a loss is a matter of luck.
    pub runs: u32,
    /// What must have been seen.
    pub demands: &'static [Demand],
    /// Starts the server, loads it, signals it and waits for its end; all that was seen is on the stage's tape.
    pub drive: fn(Stage) -> Driving,
}

impl Case {
    /// The part of the id in front of the slash.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(group, _)| group)
    }
}
