//! A successor that dies harms only what it had already begun to serve: its predecessor takes back the rest, serves on,
//! and can restart again.

use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Crowd, Failure, Proc, Signal, pause};
use libtest_mimic::Trial;

use crate::case::{LONGEST, command, end, number, start};
use crate::descriptors::allow_descriptors;
use crate::need::{Need, Needs};
use crate::target::User;

/// How often each is done, if `LAMEDUCK_CRASHES` says nothing else.
const CRASHES: u32 = 2;

/// Enough that the transfer takes its time.
const IDLE: usize = 1500;

/// Clients that keep their connection, and clients that have a connection for each request.
const BUSY: usize = 20;
const FRESH: usize = 10;

/// When the successor is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// It holds some of the connections.
    Transfer,
    /// It has taken over.
    Commit,
}

/// What a successor says at the commit, as the first thing.
const COMMITTED: &str = "serving, in the place of the predecessor";

/// What a predecessor says once it has taken back what it can, behind the number of connections.
const CLOSED: &str = " closed, since the successor may have read from them";

pub(crate) fn trials(needs: &Needs) -> Vec<Trial> {
    let transfer =
        "a_successor_killed_in_the_middle_of_the_transfer_harms_only_what_it_had_begun_to_serve";
    let root = "a_successor_of_root_killed_in_the_middle_of_the_transfer_harms_only_what_it_had_begun_to_serve";
    let commit = "a_successor_killed_right_after_the_commit_harms_only_what_it_had_begun_to_serve";
    vec![
        needs.trial(transfer, &[], || case(transfer, When::Transfer, User::Ordinary)),
        needs.trial(root, &[Need::Root], || case(root, When::Transfer, User::Root)),
        needs.trial(commit, &[], || case(commit, When::Commit, User::Ordinary)),
    ]
}

/// What one crash came to.
struct Harm {
    /// Requests lost or cut.
    requests: u64,
    /// Connections that the predecessor did not take back.
    closed: u64,
}

/// 1. Idle and busy connections, and one request whose body is not there yet; a restart is ordered. 2. The successor is
///    killed, each time a little later. 3. Its predecessor serves on: on the same connections, and fresh ones. 4. A
///    second restart succeeds.
fn case(name: &str, when: When, user: User) -> Result<(), String> {
    allow_descriptors(4 * IDLE as u64)?;
    let crashes = number("LAMEDUCK_CRASHES", CRASHES);
    let (mut requests, mut closed) = (0, 0);
    for crash in 0..crashes {
        let part = f64::from(crash + 1) / f64::from(crashes + 1);
        let harm = once(when, user, part).map_err(|why| format!("{name}, crash {crash}: {why}"))?;
        requests += harm.requests;
        closed += harm.closed;
    }
    println!(
        "{name}: {crashes} crashes; of {} connections each, {closed} in all were not taken back, and {requests} \
         requests on them were lost or cut",
        IDLE + BUSY
    );
    Ok(())
}

fn once(when: When, user: User, part: f64) -> Result<Harm, String> {
    let mut generations = start(command(user));
    let first = generations.current();
    let addr = generations.server().addr();
    let crowd = Crowd::new(addr).of(BUSY, FRESH, IDLE).start();
    let crowd = crowd.map_err(|failure| format!("an idle connection: {failure}"))?;
    crowd.flowing(100);
    // It keeps the hand-over from being over, however long this machine takes for it.
    let upload = |failure: Failure| format!("the upload: {failure}");
    let mut slow = Client::connect(addr).map_err(upload)?;
    slow.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf")
        .map_err(upload)?;
    pause(Duration::from_millis(50));
    generations.signal(Signal::USR2)?;
    let successor = generations.successor(LONGEST)?;
    match when {
        When::Transfer => holds(successor, (IDLE as f64 * part) as usize)?,
        When::Commit => {
            let _ = generations.server().wait_for_stderr(COMMITTED, LONGEST);
            pause(Duration::from_millis(20).mul_f64(part));
        }
    }
    generations.kill(successor, Signal::KILL)?;
    let _ = generations.server().wait_for_stderr("this process serves on", LONGEST);
    let closed = closed(&generations.server().stderr());
    if generations.server().processes() != [first] {
        return Err(format!("the predecessor is not alone\n{}", generations.server().transcript()));
    }
    // It serves on, what was under way as well as what comes.
    slow.send(b"rest").map_err(upload)?;
    let answer = slow.read_response().map_err(upload)?;
    if answer.body != b"halfrest" {
        return Err(format!("the upload: {answer:?}"));
    }
    crowd.flowing(100);
    let again = generations.restart(LONGEST);
    crowd.flowing(100);
    let tally = crowd.finish();
    let seen = format!("{tally}\n{}", generations.server().transcript());
    again.map_err(|why| format!("the second restart: {why}\n{tally}"))?;
    let _ = end(generations)?;
    let (kept, fresh) = (tally.kept.failed(), tally.fresh.failed());
    let fresh_may_fail = if when == When::Commit { FRESH as u64 } else { 0 };
    let wrong = tally.all().bad + tally.all().hung + tally.all().turned_away;
    if tally.idle.alive == IDLE
        && wrong == 0
        && kept <= closed
        && tally.kept.reconnects <= closed
        && fresh <= fresh_may_fail
    {
        return Ok(Harm { requests: kept + fresh, closed });
    }
    Err(seen)
}

/// How many connections a predecessor says that it did not take back.
fn closed(text: &str) -> u64 {
    let before = text.split_once(CLOSED).map_or("", |(before, _)| before);
    // "1 connection", "20 connections".
    before.rsplit(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

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
