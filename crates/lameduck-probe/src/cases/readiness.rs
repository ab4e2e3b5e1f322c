//! The readiness URL that the user names.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::client::watch_readiness;
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::stage::Stage;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "readiness/turns-first",
        title: "The readiness URL says something else than 200 before the listener is closed",
        level: Level::Should,
        why: "A balancer that looks must see it while the server still serves: then nobody is refused.",
        rule: "Kubernetes, nginx, HAProxy, Traefik: traffic follows the health check",
        needs: &[Need::Ready, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::UnreadyFirst, Demand::Answered(Role::InFlight), Demand::CleanCode],
        drive: |stage| Box::pin(watched(stage)),
    },
    Case {
        id: "readiness/until-the-end",
        title: "It answers so for as long as requests are in flight, and never says 200 again",
        level: Level::Should,
        why: "A check that goes silent looks like a crash, and one that turns back draws traffic.",
        rule: "Kubernetes probes until the process is gone",
        needs: &[Need::Ready, Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[Demand::UnreadyUntilEnd, Demand::Answered(Role::InFlight), Demand::CleanCode],
        drive: |stage| Box::pin(watched(stage)),
    },
];

async fn watched(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let url =
        server.ready_url().ok_or_else(|| Blocked::setup("there is no readiness URL"))?.to_owned();
    let mut client = stage.warm(&stage.near(&server), Role::InFlight).await?;
    let mut watch = JoinSet::new();
    watch.spawn(watch_readiness(url, stage.tape().clone()));
    client.get(&stage.path(Need::Sleep, stage.work() + 400)).await;
    stage.settle().await;
    sleep(Duration::from_millis(100)).await;
    stage.stop(&mut server);
    client.response().await;
    server.listener_closed(stage.left()).await;
    stage.end(server).await;
    Ok(())
}
