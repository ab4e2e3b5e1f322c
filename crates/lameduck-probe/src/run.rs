//! A whole run: every case on a server process of its own, several at a time where they do not disturb each other.
//!
//! 1. Cases that measure time or load the machine run alone, after the others.
//! 2. A case that takes far longer than it ever should is ended and could not run: that is the probe's fault, and it
//!    says so.
//! 3. Dropping the run's future kills every server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::blocked::Blocked;
use crate::case::Case;
use crate::discover::discover;
use crate::judge::judge;
use crate::record::Record;
use crate::routes::Need;
use crate::stage::{Setup, Stage};
use crate::stall::Stall;
use crate::verdict::{Judgement, Verdict};

/// How many cases run side by side. They mostly wait, so more than there are processors.
const SIDE_BY_SIDE: usize = 8;
/// What no case may take, besides the server's starts and twice its grace.
const FAR_TOO_LONG: Duration = Duration::from_secs(60);

/// What one case came to, with all that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case's id.
    pub id: String,
    /// The verdict with its reason.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// All that was seen.
    pub record: Record,
}

/// What a run tells while it runs.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The server came up and has these.
    Has(Vec<Need>),
    /// A case has begun.
    Begun(&'static Case),
    /// A case has ended.
    Ended(&'static Case, Judgement),
}

/// Runs these cases. The results are in the cases' order.
///
/// # Errors
/// The server does not come up at all, or does not answer.
pub async fn run(
    setup: &Arc<Setup>,
    cases: &[&'static Case],
    progress: &UnboundedSender<Progress>,
) -> Result<Vec<CaseResult>, Blocked> {
    let has = discover(setup).await?;
    let _ = progress.send(Progress::Has(has.clone()));
    let mut results = Vec::with_capacity(cases.len());
    let mut left = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        match case.needs.iter().find(|need| !has.contains(need)) {
            Some(lacking) => {
                let result = skipped(case, *lacking);
                let _ = progress.send(Progress::Ended(case, result.judgement.clone()));
                results.push((place, result));
            }
            None => left.push((place, *case)),
        }
    }
    let width = if setup.command.runs_side_by_side() { SIDE_BY_SIDE } else { 1 };
    let (alone, mut beside): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, case)| case.alone);
    // Those that wait for the deadline first, so that they don't end up last, one behind the other.
    beside.sort_by_key(|(_, case)| !case.id.starts_with("stuck/"));
    for (width, cases) in [(width, beside), (1, alone)] {
        let mut waiting = cases.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < width
                && let Some((place, case)) = waiting.next()
            {
                running.push(async move { (place, case, run_one(setup, case, progress).await) });
            }
            let Some((place, case, result)) = running.next().await else { break };
            let _ = progress.send(Progress::Ended(case, result.judgement.clone()));
            results.push((place, result));
        }
    }
    results.sort_by_key(|(place, _)| *place);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// Runs one case as often as it asks for, whatever the server has; the worst result counts.
pub async fn run_case(setup: &Arc<Setup>, case: &'static Case) -> CaseResult {
    let mut worst = once(setup, case).await;
    for _ in 1..case.runs {
        let next = once(setup, case).await;
        if next.judgement.verdict > worst.judgement.verdict {
            worst = next;
        }
    }
    worst
}

/// If it was late or lost something, and this machine stood still meanwhile, it is run once more.
async fn once(setup: &Arc<Setup>, case: &'static Case) -> CaseResult {
    match attempt(setup, case).await {
        Ok(result) => result,
        Err(_) => attempt(setup, case).await.unwrap_or_else(|stalled| stalled),
    }
}

/// Runs it once; an error if the machine stood still.
async fn attempt(setup: &Arc<Setup>, case: &'static Case) -> Result<CaseResult, CaseResult> {
    let stage = Stage::new(Arc::clone(setup));
    let tape = stage.tape().clone();
    let begun = Instant::now();
    let limit = FAR_TOO_LONG + setup.grace * 2 + setup.start_limit;
    let mut stall = Stall::default();
    let driven = tokio::select! {
        driven = timeout(limit, (case.drive)(stage)) => driven,
        never = stall.watch(&tape) => match never {},
    };
    let record = tape.record();
    let judgement = match driven {
        Ok(Ok(())) => {
            judge(case.demands, &record, u64::try_from(setup.grace.as_millis()).unwrap_or(u64::MAX))
        }
        Ok(Err(why)) => could_not_run(why.to_string()),
        Err(_) => could_not_run(format!(
            "the case did not end within {} s: a fault of the probe's",
            limit.as_secs()
        )),
    };
    match stall.discount(judgement, &record) {
        Ok(judgement) => Ok(result(case, begun, record, judgement)),
        Err(judgement) => Err(result(case, begun, record, judgement)),
    }
}

fn result(case: &Case, begun: Instant, record: Record, judgement: Judgement) -> CaseResult {
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    CaseResult { id: case.id.to_owned(), judgement, took_ms, record }
}

async fn run_one(
    setup: &Arc<Setup>,
    case: &'static Case,
    progress: &UnboundedSender<Progress>,
) -> CaseResult {
    let _ = progress.send(Progress::Begun(case));
    run_case(setup, case).await
}

fn could_not_run(why: String) -> Judgement {
    Judgement { verdict: Verdict::CouldNotRun, figure: String::new(), why }
}

fn skipped(case: &Case, lacking: Need) -> CaseResult {
    let why = format!("the server lacks {}", lacking.lacking());
    let judgement = Judgement { verdict: Verdict::Skipped, figure: String::new(), why };
    CaseResult { id: case.id.to_owned(), judgement, took_ms: 0, record: Record::default() }
}
