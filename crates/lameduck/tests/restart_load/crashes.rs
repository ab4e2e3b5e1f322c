//! A successor that dies harms only what it had already begun to serve: its predecessor takes back the rest, serves on,
//! and can restart again.

use std::time::{Duration, Instant};

use lameduck_testkit::{Crowd, Proc, Signal, eventually, pause};
use libtest_mimic::Trial;

use crate::case::{LONGEST, command, end, number, start};
use crate::descriptors::allow_descriptors;
use crate::need::{Need, Needs};
use crate::target::User;

/// How often each is done, if `LAMEDUCK_CRASHES` says nothing else.
const CRASHES: u32 = 3;

/// Enough that the transfer takes its time.
const IDLE: usize = 1500;

/// When the successor is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// It holds some of the connections.
    Transfer,
    /// It accepts.
    Commit,
}

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let transfer = "a_successor_killed_in_the_middle_of_the_transfer_cuts_nothing";
    let by_root = "a_successor_killed_in_the_middle_of_the_transfer_by_root_cuts_nothing";
    let commit = "a_successor_killed_right_after_the_commit_cuts_nothing";
    vec![
        needs.trial(transfer, &[], || case(transfer, When::Transfer, User::Ordinary)),
        needs.trial(by_root, &[Need::Root], || case(by_root, When::Transfer, User::Root)),
        needs.trial(commit, &[], || case(commit, When::Commit, User::Ordinary)),
    ]
}

/// 1. Idle and busy connections; a restart is ordered. 2. The successor is killed, each time a little later. 3. Its
///    predecessor serves on: on the same connections, and fresh ones. 4. A second restart succeeds.
fn case(name: &str, when: When, user: User) -> Result<(), String> {
    allow_descriptors(4 * IDLE as u64)?;
    let crashes = number("LAMEDUCK_CRASHES", CRASHES);
    let mut lost = 0;
    for crash in 0..crashes {
        let part = f64::from(crash + 1) / f64::from(crashes + 1);
        lost += once(when, user, part).map_err(|why| format!("{name}, crash {crash}: {why}"))?;
    }
    println!(
        "{name}: {crashes} crashes, {lost} requests lost that the successor had begun to serve"
    );
    Ok(())
}

/// How many requests were lost.
fn once(when: When, user: User, part: f64) -> Result<u64, String> {
    let mut generations = start(command(user));
    let first = generations.current();
    let addr = generations.server().addr();
    let crowd = Crowd::new(addr).of(20, 10, IDLE).mixed().start();
    let crowd = crowd.map_err(|failure| format!("an idle connection: {failure}"))?;
    crowd.flowing(100);
    generations.signal(Signal::USR2)?;
    let successor = generations.successor(LONGEST)?;
    match when {
        When::Transfer => holds(successor, (IDLE as f64 * part) as usize)?,
        When::Commit => {
            let _ = generations.server().wait_for_stderr(COMMITTED, LONGEST);
            pause(Duration::from_millis(2).mul_f64(part));
        }
    }
    // The hand-over may be over by then: not a crash of the kind that is wanted.
    let predecessor_ran = first.runs();
    generations.kill(successor, Signal::KILL)?;
    if !predecessor_ran {
        return Err("the hand-over was over before the successor could be killed".to_owned());
    }
    if !eventually(LONGEST, || generations.server().processes() == [first]) {
        return Err(format!("the predecessor is not alone\n{}", generations.server().transcript()));
    }
    // It serves on.
    crowd.flowing(100);
    let again = generations.restart(LONGEST);
    crowd.flowing(100);
    let tally = crowd.finish();
    again.map_err(|why| format!("the second restart: {why}\n{tally}"))?;
    let transcript = generations.server().transcript();
    let all = tally.all();
    let lost = all.lost;
    // Each of them was a request that the successor had read, and its connection was closed for that.
    let only_begun = lost <= 20 + 10 && all.reset == 0;
    if all.cut + all.hung + all.bad + all.refused + all.turned_away > 0
        || !only_begun
        || tally.idle.alive != IDLE
    {
        return Err(format!("{tally}\n{transcript}"));
    }
    let _ = end(generations)?;
    Ok(lost)
}

/// What the predecessor logs at the commit.
const COMMITTED: &str = "commit";

/// Waits until the process has so many descriptors.
fn holds(process: Proc, count: usize) -> Result<(), String> {
    let end = Instant::now() + LONGEST;
    while process.descriptors() < count {
        if Instant::now() > end || !process.runs() {
            return Err(format!("the successor never held {count} connections"));
        }
        pause(Duration::from_micros(100));
    }
    Ok(())
}
