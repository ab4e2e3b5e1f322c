//! Nothing to wait for: the server has only to end.

use rustix::process::Signal;
use tokio::time::{Duration, sleep};

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::demand::Demand;
use crate::record::Role;
use crate::server::Server;
use crate::stage::Stage;

const ENDS: &[Demand] = &[Demand::ExitInGrace, Demand::ExitWithin(1_000), Demand::CleanCode];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "exit/sigterm",
        title: "Without anything to do it ends within a second of SIGTERM",
        level: Level::Must,
        why: "A server that does not end is killed when its time is up, whatever it does then; each deploy waits for it.",
        rule: "Kubernetes, systemd and Docker stop a service by SIGTERM, and kill it after 30, 90 and 10 s",
        needs: &[],
        alone: false,
        runs: 1,
        demands: ENDS,
        drive: |stage| Box::pin(idle(stage, Signal::TERM)),
    },
    Case {
        id: "exit/sigint",
        title: "Without anything to do it ends within a second of SIGINT",
        level: Level::Must,
        why: "Ctrl-C in a terminal, and process managers such as foreman, send SIGINT.",
        rule: "POSIX: SIGINT is the terminal's interrupt",
        needs: &[],
        alone: false,
        runs: 1,
        demands: ENDS,
        drive: |stage| Box::pin(idle(stage, Signal::INT)),
    },
    Case {
        id: "exit/sigquit",
        title: "Without anything to do it ends within a second of SIGQUIT, and dumps no core",
        level: Level::Should,
        why: "Some images and process managers stop by SIGQUIT; its default is a core dump.",
        rule: "Docker's STOPSIGNAL; nginx, PHP-FPM and uWSGI are stopped by SIGQUIT",
        needs: &[],
        alone: false,
        runs: 1,
        demands: ENDS,
        drive: |stage| Box::pin(idle(stage, Signal::QUIT)),
    },
    Case {
        id: "exit/served",
        title: "It ends within a second also after it has served, when no connection is open",
        level: Level::Must,
        why: "Something that serving leaves behind (a pool, a timer, a thread) must not hold the end.",
        rule: "Kubernetes: a pod is gone once its process is, and not before",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[
            Demand::Answered(Role::Setup),
            Demand::ExitInGrace,
            Demand::ExitWithin(1_000),
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(served(stage)),
    },
    Case {
        id: "exit/starting",
        title: "A signal while it starts ends it as well: at once, or when it has started",
        level: Level::Must,
        why: "A deploy that is taken back stops processes that have just begun; a signal that is missed then is missed for good.",
        rule: "Kubernetes: a pod may be deleted at any time",
        needs: &[],
        alone: false,
        runs: 1,
        demands: &[Demand::ExitInGrace],
        drive: |stage| Box::pin(starting(stage)),
    },
];

async fn idle(stage: Stage, signal: Signal) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    stage.settle().await;
    server.signal(signal);
    stage.end(server).await;
    Ok(())
}

async fn served(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    drop(stage.warm_many(&stage.near(&server), Role::Setup, 20).await?);
    stage.settle().await;
    stage.stop(&mut server);
    stage.end(server).await;
    Ok(())
}

/// Signals at several moments after the start. The first few may come before it has a handler: then the signal itself
/// ends it, which is an end as good as any.
async fn starting(stage: Stage) -> Result<(), Blocked> {
    for ms in [0, 3, 10, 30, 100] {
        let mut server = Server::spawn(&stage.setup().command, stage.tape())?;
        sleep(Duration::from_millis(ms)).await;
        stage.stop(&mut server);
        server.wait_exit(stage.limit()).await;
        server.finish();
    }
    Ok(())
}
