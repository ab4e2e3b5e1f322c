//! Connections that are opened after the signal.

use std::time::Duration;

use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::client::Client;
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::stage::Stage;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "new/accounted",
        title: "Whoever connects after the signal is answered, turned away or refused",
        level: Level::Must,
        why: "Traffic comes for seconds after the signal, until every balancer has heard; a connection that is accepted and never served is lost.",
        rule: "Kubernetes: SIGTERM and the removal of the endpoint run in parallel",
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[
            Demand::Accounted(Role::Fresh),
            Demand::Answered(Role::InFlight),
            Demand::ExitInGrace,
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(arrivals(stage)),
    },
    Case {
        id: "new/listener-closes",
        title: "The listener is closed within half a second of the signal, while requests are still in flight",
        level: Level::Should,
        why: "A refused client goes elsewhere at once. (A server that goes on serving for a while on purpose fails this: set that time to 0 for the probe.)",
        rule: "RFC 9110, section 9.2.2: a refused connection is safe to repeat, whatever the method",
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[
            Demand::ListenerClosed(500),
            Demand::Answered(Role::InFlight),
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(arrivals(stage)),
    },
];

/// One request in flight holds the drain open; meanwhile one client after the other connects.
async fn arrivals(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let dial = stage.near(&server);
    let mut held = stage.warm(&dial, Role::InFlight).await?;
    held.get(&stage.path(Need::Sleep, stage.work() + 400)).await;
    stage.settle().await;
    stage.stop(&mut server);
    let arriving = async {
        let mut pause = Duration::from_millis(2);
        while server.runs() && !stage.left().is_zero() {
            if let Some(client) = Client::connect(&dial, stage.tape(), Role::Fresh).await {
                let mut client = client.limit(stage.left().min(Duration::from_secs(3)));
                client.get_and_close(stage.setup().routes.root()).await;
                client.response().await;
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    };
    tokio::join!(arriving, async { drop(held.response().await) });
    stage.end(server).await;
    Ok(())
}
