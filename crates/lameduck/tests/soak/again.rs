//! The target as a service that is started and stopped again and again within one process, for the soak: whatever a
//! stop leaves behind piles up here.
//!
//! ```text
//! PORT=8080 cargo run -p lameduck --example again -- 500     stops it every 500 ms
//! ```
//! After each stop it prints what came of it, and what the process holds while no service runs, as a line of JSON. It
//! goes on until it is killed.

#[allow(dead_code, reason = "its `main` is the other program's")]
#[path = "../../examples/target.rs"]
mod target;

use std::process::ExitCode;
use std::time::Duration;

use lameduck::{Error, Queue, Setup, StopHandle};
use lameduck_testkit::{Proc, Sample};
use serde_json::json;

/// How long after a stop it is looked at what the process still holds.
const SETTLE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let time = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let Some(time) = time.map(Duration::from_millis) else {
        eprintln!("say how many milliseconds each service is to live: again 500");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(again(time)),
        Err(error) => {
            eprintln!("no runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn again(time: Duration) -> ExitCode {
    loop {
        let stop = StopHandle::new();
        let serving = target::service().serve(&stop, set_up);
        let stopping = async {
            tokio::time::sleep(time).await;
            stop.stop("time for the next one");
        };
        let (report, ()) = futures_util::future::join(serving, stopping).await;
        // The threads of the stop are on their way out: nobody waits for them.
        tokio::time::sleep(SETTLE).await;
        let Some(holds) = Sample::of(&Proc::of(std::process::id())) else {
            return ExitCode::FAILURE;
        };
        println!("{}", json!({ "report": report, "holds": holds }));
    }
}

/// The target's server, and a part of each other kind.
async fn set_up(setup: &mut Setup) -> Result<(), Error> {
    let ledger = setup.resource_with("ledger", vec![0_u8; 4096], async |_| Ok(()));
    let mail = setup.worker(
        "mail",
        8,
        async |mut queue: Queue<u32>| {
            while queue.recv().await.is_some() {}
        },
    );
    let mail = mail.uses(&ledger);
    mail.send(1).await.map_err(|_| Error::msg("the worker takes nothing"))?;
    target::set_up(setup).await
}
