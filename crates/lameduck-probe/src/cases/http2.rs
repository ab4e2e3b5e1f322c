//! HTTP/2 with prior knowledge.

use std::time::Duration;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::client::{Http2, Manners};
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::server::Server;
use crate::stage::Stage;

const GOAWAY: &str =
    "RFC 9113, section 6.8: GOAWAY(2^31-1), a round trip, then GOAWAY with the last stream";
const KILLED: &str = "Kubernetes kills what has not ended in its grace period";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "http2/streams",
        title: "Ten streams in flight at the signal are all answered",
        level: Level::Must,
        why: "One HTTP/2 connection of a balancer carries the requests of hundreds of users.",
        rule: GOAWAY,
        needs: &[Need::Http2, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::Answered(Role::InFlight), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(streams(stage)),
    },
    Case {
        id: "http2/goaway",
        title: "The connection is told by GOAWAY before it ends",
        level: Level::Must,
        why: "Without it a client can't know which of its streams are safe to repeat.",
        rule: "RFC 9113, section 6.8: an endpoint SHOULD always send GOAWAY before it closes",
        needs: &[Need::Http2, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::GoAway, Demand::Answered(Role::InFlight), Demand::CleanCode],
        drive: |stage| Box::pin(streams(stage)),
    },
    Case {
        id: "http2/goaway-twice",
        title: "The first GOAWAY refuses nothing, and a second one names the last stream",
        level: Level::Should,
        why: "A single GOAWAY refuses the streams that are on their way to it.",
        rule: GOAWAY,
        needs: &[Need::Http2, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::GoAwayTwice, Demand::CleanCode],
        drive: |stage| Box::pin(streams(stage)),
    },
    Case {
        id: "http2/late-stream",
        title: "Streams that cross the first GOAWAY are answered, or refused by the last one",
        level: Level::Must,
        why: "The client had not heard yet. A stream that is neither may have been done or not.",
        rule: "RFC 9113, section 6.8: streams above the last one were not and will not be processed",
        needs: &[Need::Http2, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::Accounted(Role::Late), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(late(stage)),
    },
    Case {
        id: "http2/idle",
        title: "An idle HTTP/2 connection is closed in order and does not hold the end",
        level: Level::Must,
        why: "Balancers and gRPC clients keep one open all the time.",
        rule: GOAWAY,
        needs: &[Need::Http2],
        alone: false,
        runs: 1,
        demands: &[
            Demand::GoAway,
            Demand::ExitInGrace,
            Demand::ExitWithin(1_500),
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(idle(stage, Manners::Good)),
    },
    Case {
        id: "http2/no-settings",
        title: "A peer that sends its preface and never its SETTINGS does not hold the process beyond its grace",
        level: Level::Must,
        why: "Some servers wait for the handshake before they look at the stop.",
        rule: KILLED,
        needs: &[Need::Http2],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(idle(stage, Manners::NoSettings)),
    },
    Case {
        id: "http2/no-pong",
        title: "A peer that never answers a PING does not hold the process beyond its grace",
        level: Level::Must,
        why: "The last GOAWAY often waits for a PING's answer; one that never comes must not be waited for.",
        rule: KILLED,
        needs: &[Need::Http2],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(idle(stage, Manners::NoPong)),
    },
    Case {
        id: "http2/stuck-told",
        title: "A stream whose handler never ends is answered 503 at the deadline",
        level: Level::Should,
        why: "As over HTTP/1.1: a client that is told can repeat.",
        rule: "RFC 9110, section 15.6.4: 503 Service Unavailable",
        needs: &[Need::Http2, Need::Hang],
        alone: false,
        runs: 1,
        demands: &[Demand::TurnedAway(Role::Endless), Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(stuck(stage)),
    },
];

async fn connected(stage: &Stage, server: &Server, manners: Manners) -> Result<Http2, Blocked> {
    let http2 = Http2::connect(&stage.near(server), stage.tape(), manners).await;
    let mut http2 = http2.ok_or_else(|| Blocked::setup("the server refused a connection"))?;
    // One that waits for the client's SETTINGS first says nothing to a client that sends none.
    if manners != Manners::NoSettings && !http2.greeted(Duration::from_secs(5)).await {
        return Err(Blocked::setup("the server sent no SETTINGS"));
    }
    Ok(http2)
}

async fn streams(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut http2 = connected(&stage, &server, Manners::Good).await?;
    let path = stage.path(Need::Sleep, stage.work() + 150);
    for _ in 0..10 {
        http2.request(Role::InFlight, "GET", &path).await;
    }
    stage.settle().await;
    stage.stop(&mut server);
    http2.end(stage.left()).await;
    stage.end(server).await;
    Ok(())
}

/// Streams set out behind the signal, one after the other, until the GOAWAY has come.
async fn late(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut http2 = connected(&stage, &server, Manners::Good).await?;
    http2.request(Role::InFlight, "GET", &stage.path(Need::Sleep, stage.work() + 150)).await;
    stage.settle().await;
    stage.stop(&mut server);
    for _ in 0..20 {
        http2.request(Role::Late, "GET", stage.setup().routes.root()).await;
        if http2.told_within(Duration::from_millis(2)).await {
            break;
        }
    }
    http2.end(stage.left()).await;
    stage.end(server).await;
    Ok(())
}

async fn idle(stage: Stage, manners: Manners) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut http2 = connected(&stage, &server, manners).await?;
    if manners == Manners::Good {
        http2.request(Role::Setup, "GET", stage.setup().routes.root()).await;
        http2.responses(Duration::from_secs(5)).await;
    }
    stage.settle().await;
    stage.stop(&mut server);
    http2.end(stage.left()).await;
    stage.end(server).await;
    Ok(())
}

async fn stuck(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut http2 = connected(&stage, &server, Manners::Good).await?;
    let path = stage.path(Need::Hang, 60_000);
    for _ in 0..3 {
        http2.request(Role::Endless, "GET", &path).await;
    }
    stage.settle().await;
    stage.stop(&mut server);
    http2.end(stage.left()).await;
    stage.end(server).await;
    Ok(())
}
