//! One act: a shop, its buyers, a signal, and what came of it.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::task::JoinSet;

use super::buyer::Buyer;
use super::child::{Ended, ShopProcess, Status, database_url};
use super::paint::Paint;
use super::progress::Progress;
use super::report::report;
use super::summary::Summary;
use super::tally::Tally;
use super::{BEFORE_THE_SIGNAL, BUYERS, Failure};
use crate::store::{Audit, Store};

/// How long the buyers may take to notice that the shop is gone.
const NOTICE: Duration = Duration::from_secs(25);

/// What a signal in the middle came to.
#[derive(Debug)]
pub(super) struct Act {
    signal: Signal,
    tally: Rc<Tally>,
    audit: Audit,
    ended: Ended,
    took: Duration,
}

/// What the start after a SIGKILL came to.
#[derive(Debug)]
pub(super) struct SecondStart {
    before: Audit,
    after: Audit,
    ended: Ended,
}

impl Act {
    /// Lets the buyers buy, sends the signal, and looks into the database once the shop has ended.
    pub(super) async fn play(signal: Signal, folder: &Path) -> Result<Self, Failure> {
        let progress = Progress::new();
        let name = if signal == Signal::KILL { "SIGKILL" } else { "SIGTERM" };
        progress.stage(&format!("{name}: starting a shop"));
        let mut shop = ShopProcess::start(folder).await?;
        let mut buyers = Vec::new();
        for number in 0..BUYERS {
            buyers.push(Buyer::with_wallet(number, shop.address).await?);
        }

        progress.stage(&format!("{name}: {BUYERS} buyers on {}", shop.address));
        let tally = Rc::new(Tally::default());
        let crowd = tokio::task::LocalSet::new();
        let mut buying = JoinSet::new();
        for buyer in buyers {
            let tally = Rc::clone(&tally);
            buying.spawn_local_on(async move { buyer.buy_until_refused(&tally).await }, &crowd);
        }

        let act = crowd.run_until(async {
            tokio::time::sleep(BEFORE_THE_SIGNAL).await;
            progress.stage(&format!("{name} sent"));
            let sent = Instant::now();
            shop.signal(signal)?;
            let ended = shop.ended().await?;
            let took = sent.elapsed();
            if tokio::time::timeout(NOTICE, async { while buying.join_next().await.is_some() {} })
                .await
                .is_err()
            {
                return Err(Failure::from(
                    "buyers still waited for an answer after the shop had ended",
                ));
            }
            Ok((ended, took))
        });
        let ticking = async {
            let begun = Instant::now();
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let (answered, seconds) = (tally.answered.get(), begun.elapsed().as_secs_f32());
                let state = if begun.elapsed() < BEFORE_THE_SIGNAL { "buying" } else { "stopping" };
                progress.tick(&format!(
                    "{name}: {state}, {seconds:.1} s, {answered} purchases answered"
                ));
            }
        };
        let (ended, took) =
            tokio::select! { act = act => act?, () = ticking => unreachable!("it ticks for ever") };
        progress.clear();

        let audit = audit(folder).await?;
        Ok(Self { signal, tally, audit, ended, took })
    }

    /// Nothing lost, nothing torn, exit code 0.
    pub(super) fn is_clean(&self) -> bool {
        let Tally { failed, lost, cut, hung, answered, .. } = &*self.tally;
        [failed, lost, cut, hung].iter().all(|count| count.get() == 0)
            && self.audit.torn == 0
            && self.audit.purchases.unsigned_abs() >= answered.get()
            && self.ended.status.code() == Some(0)
    }

    /// The figures.
    pub(super) fn summary(&self, paint: &Paint) -> String {
        let mut summary = Summary::new(*paint);
        let tally = &self.tally;
        summary.count("purchases asked", tally.asked.get(), "");
        summary.count("answered", tally.answered.get(), "");
        summary.count("refused", tally.refused.get(), "nothing was sent: safe to repeat");
        summary.count("turned away", tally.turned_away.get(), "");
        if tally.failed.get() > 0 {
            summary.loss("failed", tally.failed.get(), "answered by an error");
        }
        summary.loss("lost", tally.lost.get(), "sent and never answered: the buyer cannot know");
        summary.loss("cut", tally.cut.get(), "half an answer");
        if tally.hung.get() > 0 {
            summary.loss("hung", tally.hung.get(), "no end");
        }
        summary.gap();
        ledger(&mut summary, &self.audit);
        summary.gap();
        if self.signal != Signal::KILL {
            let report = report(&self.ended.log);
            summary.block("what the shop reported", &report);
            summary.gap();
        }
        let took = format!("{:.2} s after the signal", self.took.as_secs_f64());
        match self.ended.status.code() {
            Some(code) => summary.value("exit code", &code.to_string(), &took),
            None => summary.value(
                "exit code",
                "none",
                &format!("{}, {took}", Status(self.ended.status)),
            ),
        }
        summary.into_text()
    }

    /// The outcome in one line.
    pub(super) fn verdict(&self, paint: &Paint) -> String {
        let torn = self.audit.torn;
        if self.is_clean() {
            paint.good("=> nothing lost, nothing torn")
        } else if self.signal == Signal::KILL {
            paint.bad(&format!("=> {torn} wallets paid for an item that nobody recorded"))
        } else {
            let Tally { failed, lost, cut, hung, .. } = &*self.tally;
            let unanswered = failed.get() + lost.get() + cut.get() + hung.get();
            paint.bad(&format!(
                "=> {unanswered} not answered, {torn} torn, {}",
                Status(self.ended.status)
            ))
        }
    }
}

/// Starts a shop on the database that a SIGKILL left, stops it in order, and looks what it mended.
pub(super) async fn start_again(folder: &Path) -> Result<SecondStart, Failure> {
    let progress = Progress::new();
    let before = audit(folder).await?;
    progress.stage("starting the shop again");
    let mut shop = ShopProcess::start(folder).await?;
    shop.signal(Signal::TERM)?;
    let ended = shop.ended().await?;
    progress.clear();
    Ok(SecondStart { before, after: audit(folder).await?, ended })
}

impl SecondStart {
    /// Every torn purchase was completed, and no wallet was debited for it again.
    pub(super) fn is_clean(&self) -> bool {
        self.after.torn == 0
            && self.after.debits == self.before.debits
            && self.ended.status.code() == Some(0)
    }

    /// The figures.
    pub(super) fn summary(&self, paint: &Paint) -> String {
        let mut summary = Summary::new(*paint);
        if let Some(said) = self.ended.log.iter().find(|line| line.contains("left torn")) {
            let said = said.find("completed").map_or(said.as_str(), |start| &said[start..]);
            summary.block("it said", &[said.to_owned()]);
            summary.gap();
        }
        ledger(&mut summary, &self.after);
        summary.into_text()
    }

    /// The outcome in one line.
    pub(super) fn verdict(&self, paint: &Paint) -> String {
        let mended = self.before.torn - self.after.torn;
        if self.is_clean() {
            paint.good(&format!("=> {mended} completed, none paid twice"))
        } else {
            paint.bad(&format!(
                "=> {mended} of {} completed, {}",
                self.before.torn,
                Status(self.ended.status)
            ))
        }
    }
}

fn ledger(summary: &mut Summary, audit: &Audit) {
    summary.count("debits", audit.debits.unsigned_abs(), "");
    summary.count("items", audit.purchases.unsigned_abs(), "");
    summary.loss("torn", audit.torn.unsigned_abs(), "debited, without an item");
}

/// Opens the database file itself: the shop has ended.
async fn audit(folder: &Path) -> Result<Audit, Failure> {
    let store = Store::open(&database_url(folder)).await?;
    let audit = store.audit().await?;
    store.close().await;
    Ok(audit)
}
