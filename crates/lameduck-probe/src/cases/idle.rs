//! Connections on which nothing is asked at the signal.

use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::client::Dial;
use crate::demand::Demand;
use crate::look::Look;
use crate::record::Role;
use crate::server::Server;
use crate::stage::Stage;

const HOLDS: &str = "A load balancer keeps such connections open for minutes: a server that waits for them ends by SIGKILL.";
const RULE: &str = "RFC 9112, section 9.5: a server may close an idle connection at any time, and should do so in order";
const CLOSED: &[Demand] = &[
    Demand::Closed(Role::Idle),
    Demand::ExitInGrace,
    Demand::ExitWithin(1_500),
    Demand::CleanCode,
];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "idle/keep-alive",
        title: "An idle keep-alive connection is closed in order and does not hold the end",
        level: Level::Must,
        why: HOLDS,
        rule: RULE,
        needs: &[],
        alone: false,
        runs: 1,
        demands: CLOSED,
        drive: |stage| Box::pin(idle(stage, 1)),
    },
    Case {
        id: "idle/hundred",
        title: "A hundred idle keep-alive connections are closed in order and do not hold the end",
        level: Level::Must,
        why: HOLDS,
        rule: RULE,
        needs: &[],
        alone: false,
        runs: 1,
        demands: CLOSED,
        drive: |stage| Box::pin(idle(stage, 100)),
    },
    Case {
        id: "idle/thousands",
        title: "Two thousand idle keep-alive connections are closed in order and do not hold the end",
        level: Level::Should,
        why: "What takes a moment for each connection takes long for thousands.",
        rule: RULE,
        needs: &[],
        alone: true,
        runs: 1,
        demands: CLOSED,
        drive: |stage| Box::pin(idle(stage, 2_000)),
    },
    Case {
        id: "idle/silent",
        title: "A connection that has never sent a byte is closed in order and does not hold the end",
        level: Level::Must,
        why: "Browsers and balancers open connections ahead of need; a server may not count them as idle.",
        rule: RULE,
        needs: &[],
        alone: false,
        runs: 1,
        demands: CLOSED,
        drive: |stage| Box::pin(silent(stage)),
    },
    Case {
        id: "idle/late-request",
        title: "Requests that set out before the end of the stream could arrive are answered",
        level: Level::Must,
        why: "For a round trip the client can't know that its idle connection is closed. A server that closes it at once loses what is on its way.",
        rule: "RFC 9112, section 9.5: a client may send while the server closes; the server should wait for what is on its way",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[Demand::Accounted(Role::Late), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(late(stage, true)),
    },
    Case {
        id: "idle/first-request",
        title: "The same on connections that had not sent a byte yet",
        level: Level::Must,
        why: "The connection was open before the signal; its first request may be on its way.",
        rule: "RFC 9112, section 9.5",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[Demand::Accounted(Role::Late), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(late(stage, false)),
    },
];

async fn idle(stage: Stage, count: usize) -> Result<(), Blocked> {
    raise_descriptors(count)?;
    let mut server = stage.start().await?;
    let mut clients = stage.warm_many(&stage.near(&server), Role::Idle, count).await?;
    // To the server a connection is idle a moment after its response has come.
    stage.settle().await;
    stage.stop(&mut server);
    join_all(clients.iter_mut().map(|client| client.silence(stage.left()))).await;
    stage.end(server).await;
    Ok(())
}

/// Three of them. The first request shows that the server has accepted what was opened before.
async fn silent(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let dial = stage.near(&server);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(stage.connect(&dial, Role::Idle).await?);
    }
    drop(stage.warm(&dial, Role::Setup).await?);
    stage.settle().await;
    stage.stop(&mut server);
    join_all(clients.iter_mut().map(|client| client.silence(stage.left()))).await;
    stage.end(server).await;
    Ok(())
}

/// Clients half a round trip away send one request each, evenly over the first half round trip after the signal: the
/// server's end of stream can't have come to any of them. One that sees it first does not send.
async fn late(stage: Stage, warm: bool) -> Result<(), Blocked> {
    const CLIENTS: u32 = 20;
    let mut server = stage.start().await?;
    let dial = stage.far(&server)?;
    let mut clients = if warm {
        stage.warm_many(&dial, Role::Late, CLIENTS as usize).await?
    } else {
        silent_connections(&stage, &server, &dial, CLIENTS).await?
    };
    let one_way = stage.setup().rtt / 2;
    stage.stop(&mut server);
    let path = stage.setup().routes.root();
    join_all((0..CLIENTS).zip(&mut clients).map(async |(number, client)| {
        sleep(one_way * number / CLIENTS).await;
        if client.look() == Look::Open {
            client.get(path).await;
            client.response().await;
        } else {
            client.silence(Duration::ZERO).await;
        }
    }))
    .await;
    stage.end(server).await;
    Ok(())
}

/// Opened, and certainly accepted: a request that came after them was answered.
async fn silent_connections(
    stage: &Stage,
    server: &Server,
    dial: &Dial,
    count: u32,
) -> Result<Vec<crate::client::Client>, Blocked> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(stage.connect(dial, Role::Late).await?);
    }
    stage.settle().await;
    drop(stage.warm(&stage.near(server), Role::Setup).await?);
    Ok(clients)
}

/// The server inherits the limit, and needs as many descriptors as we do.
fn raise_descriptors(count: usize) -> Result<(), Blocked> {
    let need = count as u64 * 2 + 200;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= need) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < need) {
        let maximum = maximum.unwrap_or_default();
        return Err(Blocked::Machine(format!(
            "{need} descriptors are needed, and the limit is {maximum} (ulimit -Hn)"
        )));
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    raised.map_err(|error| {
        Blocked::Machine(format!("the limit of descriptors can't be raised: {error}"))
    })
}
