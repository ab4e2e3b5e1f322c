//! More than one signal.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::stage::Stage;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "signals/second-interrupt",
        title: "A second Ctrl-C ends it at once, whatever it waits for",
        level: Level::Should,
        why: "Who presses it twice means it; the alternative is to look for the process and kill it.",
        rule: "Convention of terminals: the first interrupt asks, the second insists",
        needs: &[Need::Hang],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::ExitAfterLastSignal(1_000)],
        drive: |stage| Box::pin(second_interrupt(stage)),
    },
    Case {
        id: "signals/repeated-stop",
        title: "The stop signal again, a moment later, changes nothing: the request in flight is answered",
        level: Level::Must,
        why: "Kubernetes at a node's shutdown, preStop hooks and impatient scripts send it twice.",
        rule: "Kubernetes: the kubelet may signal more than once",
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::Answered(Role::InFlight), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(repeated(stage, 2, Duration::from_millis(400))),
    },
    Case {
        id: "signals/storm",
        title: "Fifty stop signals in a quarter of a second change nothing either",
        level: Level::Must,
        why: "A terminal, a wrapper script and a supervisor often deliver one stop several times.",
        rule: "signal(7): standard signals of one kind may be merged, or not",
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::Answered(Role::InFlight), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(repeated(stage, 50, Duration::from_millis(5))),
    },
];

async fn second_interrupt(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::Endless).await?;
    client.get(&stage.path(Need::Hang, 60_000)).await;
    stage.settle().await;
    server.signal(Signal::INT);
    // Later than what one keypress may deliver twice.
    sleep(Duration::from_millis(700)).await;
    server.signal(Signal::INT);
    stage.end(server).await;
    Ok(())
}

async fn repeated(stage: Stage, times: usize, every: Duration) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.warm(&stage.near(&server), Role::InFlight).await?;
    client.get(&stage.path(Need::Sleep, stage.work() + 400)).await;
    stage.settle().await;
    let storm = async {
        for _ in 0..times {
            stage.stop(&mut server);
            sleep(every).await;
        }
    };
    tokio::join!(storm, async { drop(client.response().await) });
    stage.end(server).await;
    Ok(())
}
