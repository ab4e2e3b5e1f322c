//! Clients that never pause.

use std::time::Duration;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::client::{Dial, KeepAlive, Loading, fresh, keep_alive};
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::server::Server;
use crate::stage::Stage;

/// What is lost depends on what is under way in the very millisecond.
const RUNS: u32 = 5;
const NOTHING_LOST: &[Demand] =
    &[Demand::Accounted(Role::Load), Demand::ExitInGrace, Demand::CleanCode];
const KEEP_ALIVE_RULE: &str =
    "RFC 9112, section 9.6: answer with the close option, then close in stages";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "load/keep-alive",
        title: "Fifty busy clients that keep their connections lose nothing, and do not hold the end",
        level: Level::Must,
        why: "It is what a load balancer does all day; each deploy meets it.",
        rule: KEEP_ALIVE_RULE,
        needs: &[],
        alone: true,
        runs: RUNS,
        demands: NOTHING_LOST,
        drive: |stage| Box::pin(kept(stage, Wire::Near, None)),
    },
    Case {
        id: "load/keep-alive-far",
        title: "The same from a round trip away",
        level: Level::Must,
        why: "On loopback the end of a connection is known at once; from afar a request is always on its way.",
        rule: KEEP_ALIVE_RULE,
        needs: &[],
        alone: true,
        runs: RUNS,
        demands: NOTHING_LOST,
        drive: |stage| Box::pin(kept(stage, Wire::Far, None)),
    },
    Case {
        id: "load/handlers-far",
        title: "The same with handlers that take 20 ms",
        level: Level::Must,
        why: "Then most requests are in their handlers at the signal, and their answers are the last on the connection.",
        rule: KEEP_ALIVE_RULE,
        needs: &[Need::Sleep],
        alone: true,
        runs: RUNS,
        demands: NOTHING_LOST,
        drive: |stage| Box::pin(kept(stage, Wire::Far, Some(20))),
    },
    Case {
        id: "load/fresh",
        title: "Fifty busy clients that open a connection for each request lose nothing: they are answered or refused",
        level: Level::Must,
        why: "Closing a listener resets the connections that wait in its queue; their clients were connected already.",
        rule: "listen(2): the kernel completes connections before the server accepts them",
        needs: &[],
        alone: true,
        runs: RUNS,
        demands: NOTHING_LOST,
        drive: |stage| Box::pin(renewed(stage, Wire::Near)),
    },
    Case {
        id: "load/fresh-far",
        title: "The same from a round trip away",
        level: Level::Must,
        why: "From afar a connection is open for a while before its first request comes: who closes it as idle at the signal loses that.",
        rule: "RFC 9112, section 9.5: a client may send while the server closes",
        needs: &[],
        alone: true,
        runs: RUNS,
        demands: NOTHING_LOST,
        drive: |stage| Box::pin(renewed(stage, Wire::Far)),
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Near,
    Far,
}

impl Wire {
    fn dial(self, stage: &Stage, server: &Server) -> Result<Dial, Blocked> {
        match self {
            Self::Near => Ok(stage.near(server)),
            Self::Far => stage.far(server),
        }
    }
}

async fn kept(stage: Stage, wire: Wire, handler_ms: Option<u64>) -> Result<(), Blocked> {
    let server = stage.start().await?;
    let dial = wire.dial(&stage, &server)?;
    let root = stage.setup().routes.root().to_owned();
    let what = KeepAlive {
        clients: 50,
        path: handler_ms.map_or(root, |ms| stage.path(Need::Sleep, ms)),
        at_least: Duration::ZERO,
        think: Duration::from_millis(10),
        spread: stage.setup().rtt * 2,
        limit: stage.limit(),
    };
    let loading = keep_alive(&dial, stage.tape(), &what);
    through_the_stop(stage, server, loading).await
}

async fn renewed(stage: Stage, wire: Wire) -> Result<(), Blocked> {
    let server = stage.start().await?;
    let dial = wire.dial(&stage, &server)?;
    let path = stage.setup().routes.root();
    let loading = fresh(&dial, stage.tape(), 50, path, stage.setup().rtt, stage.limit());
    through_the_stop(stage, server, loading).await
}

async fn through_the_stop(
    stage: Stage,
    mut server: Server,
    loading: Loading,
) -> Result<(), Blocked> {
    loading.flowing(300).await?;
    stage.stop(&mut server);
    server.wait_exit(stage.left()).await;
    // Those that are a round trip away hear of it later.
    loading.finish(Duration::from_secs(1) + stage.setup().rtt).await;
    server.finish();
    Ok(())
}
