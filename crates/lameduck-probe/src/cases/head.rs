//! Requests whose head is not whole at the signal.

use std::time::Duration;

use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::client::Client;
use crate::demand::Demand;
use crate::record::Role;
use crate::server::Server;
use crate::stage::Stage;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "head/completed",
        title: "A request of which half the head had come at the signal is answered once it is whole",
        level: Level::Must,
        why: "A head may take two packets; its client has begun, and can't know whether the rest will be read.",
        rule: "RFC 9112, section 9.6: what has been received is answered",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[Demand::Accounted(Role::InFlight), Demand::ExitInGrace, Demand::CleanCode],
        drive: |stage| Box::pin(completed(stage)),
    },
    Case {
        id: "head/never-completed",
        title: "Half a head that is never completed does not hold the end beyond the grace",
        level: Level::Must,
        why: "A client that has vanished, or means harm, must not keep the process from ending.",
        rule: "Kubernetes kills what has not ended in its grace period",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(never_completed(stage)),
    },
    Case {
        id: "head/slow-writer",
        title: "A client that writes its head byte by byte does not hold the end beyond the grace",
        level: Level::Must,
        why: "A limit that begins anew with each byte is none.",
        rule: "Kubernetes kills what has not ended in its grace period",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace, Demand::OwnEnd],
        drive: |stage| Box::pin(slow_writer(stage)),
    },
];

async fn begun(stage: &Stage) -> Result<(Server, Client), Blocked> {
    let server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::InFlight).await?;
    let head = format!("GET {} HTTP/1.1\r\nHo", stage.setup().routes.root());
    client.ask("GET / (half a head)", head.as_bytes()).await;
    stage.settle().await;
    Ok((server, client))
}

async fn completed(stage: Stage) -> Result<(), Blocked> {
    let (mut server, mut client) = begun(&stage).await?;
    stage.stop(&mut server);
    stage.after_signal(100).await;
    client.send(b"st: probe\r\n\r\n").await;
    client.response().await;
    stage.end(server).await;
    Ok(())
}

async fn never_completed(stage: Stage) -> Result<(), Blocked> {
    let (mut server, client) = begun(&stage).await?;
    stage.stop(&mut server);
    stage.end(server).await;
    drop(client);
    Ok(())
}

async fn slow_writer(stage: Stage) -> Result<(), Blocked> {
    let (mut server, mut client) = begun(&stage).await?;
    client.send(b"st: probe\r\nX-Slow: ").await;
    stage.stop(&mut server);
    while server.runs() && !stage.left().is_zero() {
        client.send(b"x").await;
        sleep(Duration::from_millis(100)).await;
    }
    stage.end(server).await;
    Ok(())
}
