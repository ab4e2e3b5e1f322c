//! Handlers and clients that do not end within the grace.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::stage::Stage;

const BOUNDED: &[Demand] = &[Demand::ExitInGrace, Demand::OwnEnd];
const KILLED: &str = "Kubernetes, systemd and Docker kill what has not ended in time: nothing is closed then, and nothing reported";
/// Longer than any grace that makes sense here.
const FOR_EVER: u64 = 60_000;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "stuck/exit",
        title: "A handler that never ends does not hold the process beyond its grace",
        level: Level::Must,
        why: "One forgotten timeout in one handler must not turn each deploy into a SIGKILL.",
        rule: KILLED,
        needs: &[Need::Hang],
        alone: false,
        runs: 1,
        demands: BOUNDED,
        drive: |stage| Box::pin(endless(stage, "GET")),
    },
    Case {
        id: "stuck/get-told",
        title: "A GET whose handler never ends is answered 503 at the deadline",
        level: Level::Should,
        why: "A connection that just ends leaves the client without a word; a 503 is one that clients and balancers know how to repeat.",
        rule: "RFC 9110, section 15.6.4: 503 Service Unavailable",
        needs: &[Need::Hang],
        alone: false,
        runs: 1,
        demands: &[Demand::TurnedAway(Role::Endless), Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(endless(stage, "GET")),
    },
    Case {
        id: "stuck/post-not-invited",
        title: "A POST whose handler was interrupted is not invited to be repeated",
        level: Level::Must,
        why: "Its handler may have done half its work; who repeats it may pay twice.",
        rule: "RFC 9110, section 9.2.2: a POST is not idempotent; section 10.2.3: Retry-After asks to repeat",
        needs: &[Need::Hang],
        alone: false,
        runs: 1,
        demands: &[Demand::NotInvited(Role::Endless), Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(endless(stage, "POST")),
    },
    Case {
        id: "stuck/exit-code",
        title: "The exit code says that work was cut",
        level: Level::Should,
        why: "A stop that cut requests and exits with 0 looks like a clean one to whoever counts.",
        rule: "systemd and Kubernetes report exit codes; 0 is success",
        needs: &[Need::Hang],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::OwnEnd, Demand::FailureCode],
        drive: |stage| Box::pin(endless(stage, "GET")),
    },
    Case {
        id: "stuck/others",
        title: "Requests that fit are answered although another handler never ends",
        level: Level::Must,
        why: "One stuck request must not cost the others their time.",
        rule: "RFC 9112, section 9.6: what has been received is answered",
        needs: &[Need::Hang, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::Answered(Role::InFlight), Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(beside(stage)),
    },
    Case {
        id: "stuck/stream",
        title: "A response that streams beyond the grace is cut so that its client can tell",
        level: Level::Must,
        why: "A cut response that looks whole is stored, parsed and believed.",
        rule: "RFC 9112, section 8: without its last chunk a message is incomplete",
        needs: &[Need::Stream],
        alone: false,
        runs: 1,
        demands: &[Demand::VisiblyCut(Role::Endless), Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(stream(stage)),
    },
    Case {
        id: "stuck/upload",
        title: "An upload that stalls does not hold the process beyond its grace",
        level: Level::Must,
        why: "The client may have vanished; its connection looks open for hours.",
        rule: KILLED,
        needs: &[Need::Echo],
        alone: false,
        runs: 1,
        demands: BOUNDED,
        drive: |stage| Box::pin(upload(stage)),
    },
    Case {
        id: "stuck/reader",
        title: "A client that stops reading does not hold the process beyond its grace",
        level: Level::Must,
        why: "The response is made and can't be written; nothing but a deadline ends that.",
        rule: KILLED,
        needs: &[Need::Echo],
        alone: false,
        runs: 1,
        demands: BOUNDED,
        drive: |stage| Box::pin(reader(stage)),
    },
    Case {
        id: "stuck/blocked-thread",
        title: "A blocked worker thread does not hold the process beyond its grace",
        level: Level::Must,
        why: "Nothing can stop a blocked thread; a runtime that waits for it never ends.",
        rule: KILLED,
        needs: &[Need::Block],
        alone: false,
        runs: 1,
        demands: BOUNDED,
        drive: |stage| Box::pin(blocked(stage, Need::Block, 2)),
    },
    Case {
        id: "stuck/starved",
        title: "With every thread that runs handlers blocked it still ends within its grace",
        level: Level::Must,
        why: "Then timers and signal handlers that live on those threads do not run either: the worst time to depend on them.",
        rule: KILLED,
        needs: &[Need::Starve],
        alone: false,
        runs: 1,
        demands: BOUNDED,
        drive: |stage| Box::pin(blocked(stage, Need::Starve, 64)),
    },
];

async fn endless(stage: Stage, method: &str) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::Endless).await?;
    let path = stage.path(Need::Hang, FOR_EVER);
    if method == "POST" {
        client.post(&path, 0, "").await;
    } else {
        client.get(&path).await;
    }
    stage.settle().await;
    stage.stop(&mut server);
    client.response().await;
    stage.end(server).await;
    Ok(())
}

async fn beside(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let dial = stage.near(&server);
    let mut stuck = stage.connect(&dial, Role::Endless).await?;
    stuck.get(&stage.path(Need::Hang, FOR_EVER)).await;
    let mut clients = stage.warm_many(&dial, Role::InFlight, 5).await?;
    let path = stage.path(Need::Sleep, stage.work() + 150);
    join_all(clients.iter_mut().map(|client| client.get(&path))).await;
    stage.settle().await;
    stage.stop(&mut server);
    join_all(clients.iter_mut().map(async |client| drop(client.response().await))).await;
    stage.end(server).await;
    Ok(())
}

async fn stream(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::Endless).await?;
    client.get(&stage.setup().routes.path(Need::Stream, 100, FOR_EVER / 100)).await;
    if !client.wait_for("chunk 0001", Duration::from_secs(5)).await {
        return Err(Blocked::setup("the stream did not begin"));
    }
    stage.stop(&mut server);
    client.response().await;
    stage.end(server).await;
    Ok(())
}

async fn upload(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::Endless).await?;
    client.post(&stage.path(Need::Echo, 0), 1_000_000, "").await;
    client.send(&[b'x'; 10_000]).await;
    stage.settle().await;
    stage.stop(&mut server);
    client.response().await;
    stage.end(server).await;
    Ok(())
}

async fn reader(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let dial = stage.near(&server).receive_buffer(16 * 1024);
    let mut client = stage.connect(&dial, Role::Endless).await?;
    let body = vec![b'x'; 8 << 20];
    client.post(&stage.path(Need::Echo, 0), body.len(), "").await;
    client.send(&body).await;
    if !client.wait_for("\r\n\r\n", Duration::from_secs(5)).await {
        return Err(Blocked::setup("the response did not begin"));
    }
    stage.stop(&mut server);
    stage.end(server).await;
    drop(client);
    Ok(())
}

/// As many requests as make sure that no thread is left over, one after the other so that each finds its own.
async fn blocked(stage: Stage, need: Need, count: usize) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let dial = stage.near(&server);
    let path = stage.path(need, FOR_EVER);
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = stage.connect(&dial, Role::Endless).await?;
        client.get(&path).await;
        clients.push(client);
        sleep(Duration::from_millis(5)).await;
    }
    stage.settle().await;
    stage.stop(&mut server);
    stage.end(server).await;
    Ok(())
}
