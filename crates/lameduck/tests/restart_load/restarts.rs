//! Restart after restart under a mixed load: every body is compared, every connection is kept.

use std::time::{Duration, Instant};

use lameduck_testkit::{Crowd, Generations, Relay, pause};
use libtest_mimic::Trial;

use crate::case::{LONGEST, command, end, passed_on, restarts, start};
use crate::figures::Figures;
use crate::need::{Need, Needs};
use crate::target::User;

/// Requests that begin within so long after the signal are counted as disturbed; as long a quiet time follows.
const WINDOW: Duration = Duration::from_millis(250);

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let near = "restarts_lose_nothing_on_loopback";
    let far = "restarts_lose_nothing_40_ms_away";
    let root = "restarts_by_root_lose_nothing";
    let rush = "restarts_one_right_after_the_other_lose_nothing";
    vec![
        needs.trial(near, &[], || case(near, User::Ordinary, Duration::ZERO, WINDOW)),
        needs.trial(far, &[], || case(far, User::Ordinary, Duration::from_millis(40), WINDOW)),
        needs.trial(root, &[Need::Root], || case(root, User::Root, Duration::ZERO, WINDOW)),
        needs.trial(rush, &[], || case(rush, User::Ordinary, Duration::ZERO, Duration::ZERO)),
    ]
}

fn case(name: &str, user: User, round_trip: Duration, window: Duration) -> Result<(), String> {
    let mut generations = start(command(user));
    let addr = generations.server().addr();
    let relay = (!round_trip.is_zero()).then(|| Relay::start(addr, round_trip / 2));
    let addr = relay.as_ref().map_or(addr, Relay::addr);
    let crowd = Crowd::new(addr).mixed().away(round_trip).start();
    let crowd = crowd.map_err(|failure| format!("{name}: an idle connection: {failure}"))?;
    crowd.flowing(200);
    let mut took = Vec::new();
    let mut failed = None;
    for number in 0..restarts() {
        // At another moment of the round trip each time: the golden ratio spreads any number of them evenly.
        pause(window + round_trip.mul_f64((f64::from(number) * 0.618).fract()));
        crowd.disturbed(true);
        let until = Instant::now() + window;
        match generations.restart(LONGEST) {
            Ok(time) => took.push(time),
            Err(why) => {
                failed = Some(why);
                break;
            }
        }
        pause(until.saturating_duration_since(Instant::now()));
        crowd.disturbed(false);
    }
    // What the last restart may have harmed shows now.
    crowd.flowing(200);
    let mut tally = crowd.finish();
    let seen = tally.unharmed().map_err(|harm| format!("{harm}\n{}", last_words(&generations)));
    if let Some(why) = failed {
        return Err(format!("{name}: {why}\n{tally}"));
    }
    let reports = end(generations).map_err(|why| format!("{name}: {why}\n{tally}"))?;
    let passed_on = passed_on(&reports);
    Figures { name, crowd: &mut tally, took, passed_on }.print()?;
    seen.map_err(|why| format!("{name}: {why}"))?;
    // 50 idle ones at each restart, whatever became of the busy ones.
    let least = 50 * reports.len() as u64;
    if passed_on < least {
        return Err(format!("{name}: {passed_on} connections passed on, not {least} or more"));
    }
    if window.is_zero() {
        return Ok(());
    }
    let mut slow = |part: f64| {
        let took = &mut tally.kept_took;
        (took.quiet.within(part), took.disturbed.within(part))
    };
    let (quiet, disturbed) = slow(0.999);
    // The promise is twice; the rest is room for a machine that does other things.
    if disturbed > quiet * 5 + Duration::from_millis(150) {
        return Err(format!("{name}: p99.9 {disturbed:?} in restarts, {quiet:?} otherwise"));
    }
    Ok(())
}

fn last_words(generations: &Generations) -> String {
    let text = generations.server().stderr();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
