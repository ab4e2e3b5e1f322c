//! The report for people: the verdict first; on a clean stop a few lines.

use std::fmt;

use super::{PartState, Report, RequestCounts};
use crate::budget::Span;
use crate::phase::Outcome;

impl Report {
    /// The verdict: the first line of the text.
    pub(crate) fn verdict(&self) -> String {
        let (service, took, code) = (&self.service, Span(self.took), self.exit_code);
        let how = match self.outcome {
            Outcome::Clean => format!("stopped clean in {took}{}", self.losses()),
            Outcome::Failed => format!("failed and stopped in {took}"),
            Outcome::Forced => format!("was forced to stop after {took}"),
            Outcome::Signalled(_) => format!("was forced to exit by a second signal after {took}"),
        };
        format!("{service} {how} (exit {code})")
    }

    /// What a stop that was clean can say of losses. Limits end requests in a clean stop too: a request that took too long,
    /// a peer that read nothing.
    fn losses(&self) -> String {
        let RequestCounts { answered_503, interrupted, cut, .. } = self.requests;
        let unsure = self.parts.iter().any(|part| part.may_have_lost);
        match (answered_503 + interrupted + cut, unsure) {
            (0, false) => ": nothing lost".to_owned(),
            (0, true) => ", but a connection may have been lost".to_owned(),
            (1, _) => ", but a request was ended by a limit".to_owned(),
            (ended, _) => format!(", but {ended} requests were ended by a limit"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verdict())?;
        write!(f, "\n  cause: {}", self.cause)?;
        for stuck in &self.stuck {
            write!(f, "\n  stuck: {stuck}")?;
        }
        if self.stuck_unlisted > 0 {
            write!(f, "\n  stuck: {} more", self.stuck_unlisted)?;
        }
        for part in &self.parts {
            let said = part.detail.as_deref().unwrap_or("no message");
            match part.state {
                PartState::Failed => write!(f, "\n  {} `{}` failed: {said}", part.tier, part.name)?,
                PartState::Panicked => {
                    write!(f, "\n  {} `{}` panicked: {said}", part.tier, part.name)?;
                }
                _ if part.may_have_lost => {
                    write!(f, "\n  {} `{}` closed its listener: {said}", part.tier, part.name)?;
                }
                PartState::Starting
                | PartState::Running
                | PartState::Hung
                | PartState::Finishing
                | PartState::Done
                | PartState::Abandoned => {}
            }
        }
        for panic in &self.panics.first {
            write!(f, "\n  panic: {panic}")?;
        }
        let listed = self.panics.first.len() as u64;
        if self.panics.count > listed {
            write!(f, "\n  panic: {} more", self.panics.count - listed)?;
        }
        let requests = self.requests;
        write!(f, "\n  requests: {} completed", requests.completed)?;
        for (count, what) in [
            (requests.answered_503, "answered 503"),
            (requests.interrupted, "interrupted, their outcome unknown to the client"),
            (requests.cut, "cut"),
            (requests.gone, "given up by the client"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        let connections = self.connections;
        write!(f, "\n  connections: {} closed idle", connections.closed_idle)?;
        for (count, what) in [
            (connections.upgraded, "upgraded"),
            (connections.passed_on, "passed on"),
            (connections.cut, "cut"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if self.restarts_failed > 0 {
            write!(f, "\n  restarts: {} failed", self.restarts_failed)?;
        }
        if !self.phases.is_empty() {
            f.write_str("\n  phases:")?;
            for (index, phase) in self.phases.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(f, "{comma} {} {}", phase.phase, Span(phase.took))?;
            }
        }
        Ok(())
    }
}
