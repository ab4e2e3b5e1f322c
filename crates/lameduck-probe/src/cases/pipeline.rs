//! Several requests sent at once on one connection.

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::stage::Stage;

pub(super) const CASES: &[Case] = &[Case {
    id: "pipeline/behind-in-flight",
    title: "Requests behind the one in flight are answered too, or its answer says that they were not processed",
    level: Level::Must,
    why: "A client that gets neither can't know whether they were done.",
    rule: "RFC 9112, section 9.6: requests behind an answer that says `Connection: close` were not processed",
    needs: &[Need::Sleep],
    alone: false,
    runs: 1,
    demands: &[
        Demand::Answered(Role::InFlight),
        Demand::Accounted(Role::Pipelined),
        Demand::ExitInGrace,
        Demand::CleanCode,
    ],
    drive: |stage| Box::pin(pipelined(stage)),
}];

async fn pipelined(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.warm(&stage.near(&server), Role::InFlight).await?;
    let root = stage.setup().routes.root();
    let first = stage.path(Need::Sleep, stage.work());
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: probe\r\n\r\n");
    let all = [get(&first), get(root), get(root)].concat();
    client.ask(&format!("GET {first}"), all.as_bytes()).await;
    stage.settle().await;
    stage.stop(&mut server);
    client.response().await;
    client.role(Role::Pipelined);
    for _ in 0..2 {
        client.begin_sent(&format!("GET {root} (pipelined)"));
        if client.response().await.is_none() {
            break;
        }
    }
    stage.end(server).await;
    Ok(())
}
