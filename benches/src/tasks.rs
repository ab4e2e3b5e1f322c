//! What background tasks cost: one beat, and an idle service with many tasks that beat.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lameduck::{Lifecycle, Queue, Service, Setup, StopHandle, Worker};
use lameduck_testkit::{Proc, pause};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::Failure;
use crate::results::Results;
use crate::summary::Summary;
use crate::table::Table;

const ROUNDS: usize = 5;
const BEATS: u32 = 20_000_000;
const TASKS: usize = 1_000;
/// How long the idle service is looked at. Its processor time is known to 10 ms.
const LOOK: Duration = Duration::from_secs(20);

/// What section 7 of the design allows.
const BEAT_NS: f64 = 20.0;
const IDLE_PERCENT: f64 = 1.0;

/// Nanoseconds per call, of which there are [`BEATS`].
fn timed(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..BEATS {
        call();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(BEATS)
}

/// Runs a service with these tasks on a runtime of its own, and `look` while it does nothing else.
fn with_service<T>(
    tasks: impl FnOnce(&mut Setup) + Send + 'static,
    look: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = Runtime::new()?;
    let stop = StopHandle::new();
    let serving = Service::new("tasks").serve(&stop, async move |setup: &mut Setup| {
        tasks(setup);
        Ok(())
    });
    let serving = runtime.spawn(serving);
    let found = look();
    stop.stop("measured");
    drop(runtime.block_on(serving));
    found
}

/// Nanoseconds of a beat through a handle that is kept, of one through `try_current`, and of progress.
fn beat() -> Result<[f64; 3], Failure> {
    let (sender, found) = oneshot::channel();
    let mut sender = Some(sender);
    let declare = move |setup: &mut Setup| {
        let work = move |_: Queue<()>| {
            let sender = sender.take();
            async move {
                let Some(life) = Lifecycle::try_current() else { return };
                let kept = timed(|| black_box(&life).beat());
                let current = timed(|| {
                    if let Some(life) = Lifecycle::try_current() {
                        life.beat();
                    }
                });
                let progress = timed(|| black_box(&life).progress(black_box(1), black_box(2)));
                if let Some(sender) = sender {
                    let _ = sender.send([kept, current, progress]);
                }
            }
        };
        drop(setup.worker("beat", 1, work).beats_within(Duration::from_secs(30)));
    };
    with_service(declare, || Ok(found.blocking_recv()?))
}

/// The share of one processor, in percent, that this process uses while it is left alone.
fn idle_share() -> f64 {
    let me = Proc::of(std::process::id());
    // Until everything has started.
    pause(Duration::from_secs(2));
    let (before, start) = (me.processor_time(), Instant::now());
    pause(LOOK);
    (me.processor_time() - before).as_secs_f64() * 100.0 / start.elapsed().as_secs_f64()
}

/// When the tasks wake within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// All at once, as timers of one period do that start with the service.
    Together,
    /// Each in a millisecond of its own: the runtime wakes as often as there are tasks.
    Apart,
}

impl Wake {
    fn delay(self, number: usize) -> Duration {
        match self {
            Wake::Together => Duration::ZERO,
            Wake::Apart => Duration::from_millis(number as u64 % 1000),
        }
    }
}

/// Tasks that beat once a second and promised to.
fn idle_service(wake: Wake) -> Result<f64, Failure> {
    let declare = move |setup: &mut Setup| {
        for number in 0..TASKS {
            let work = move |mut queue: Queue<()>| async move {
                let life = Lifecycle::try_current();
                tokio::time::sleep(wake.delay(number)).await;
                let mut ticks = tokio::time::interval(Duration::from_secs(1));
                loop {
                    tokio::select! {
                        item = queue.recv() => if item.is_none() { return },
                        _ = ticks.tick() => {}
                    }
                    if let Some(life) = &life {
                        life.beat();
                    }
                }
            };
            let worker: Worker<()> = setup.worker(&format!("w{number}"), 1, work);
            // A handle that is kept, so that the queue does not end.
            std::mem::forget(worker.beats_within(Duration::from_secs(30)));
        }
    };
    with_service(declare, || Ok(idle_share()))
}

/// The same number of tasks that only wake once a second, without lameduck.
fn idle_runtime(wake: Wake) -> Result<f64, Failure> {
    let runtime = Runtime::new()?;
    for number in 0..TASKS {
        drop(runtime.spawn(async move {
            tokio::time::sleep(wake.delay(number)).await;
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
            }
        }));
    }
    let share = idle_share();
    runtime.shutdown_background();
    Ok(share)
}

/// All of it; the targets are asserted.
pub(crate) fn measure(rounds: Option<usize>, results: &mut Results) -> Result<(), Failure> {
    let rounds = rounds.unwrap_or(ROUNDS);
    let beats: Result<Vec<[f64; 3]>, Failure> = (0..rounds).map(|_| beat()).collect();
    let beats = beats?;
    let mut table = Table::new("A beat", &["", "ns, median", "range"]);
    let names = ["`beat` of a handle that is kept", "`try_current` and `beat`", "`progress`"];
    for (place, name) in names.iter().enumerate() {
        let values: Vec<f64> = beats.iter().map(|round| round[place]).collect();
        let summary = Summary::of(&values);
        let (low, high) = (summary.quantile(0.0), summary.quantile(1.0));
        let range = format!("{low:.1} to {high:.1}");
        table.row(vec![(*name).to_owned(), format!("{:.1}", summary.median()), range]);
        if place == 0 {
            results.at_most("nanoseconds of a beat", summary.median(), BEAT_NS);
        }
    }
    results.add("beat", &table, json!(beats));

    let title = format!("{TASKS} tasks, once a second, for {} s", LOOK.as_secs());
    let columns = ["percent of one processor", "wake together", "wake apart"];
    let mut table = Table::new(title, &columns);
    let service = [idle_service(Wake::Together)?, idle_service(Wake::Apart)?];
    let runtime = [idle_runtime(Wake::Together)?, idle_runtime(Wake::Apart)?];
    for (name, shares) in
        [("a service whose tasks beat", service), ("tokio's tasks that only wake", runtime)]
    {
        let shares = shares.map(|share| format!("{share:.2}"));
        table.row(std::iter::once(name.to_owned()).chain(shares).collect());
    }
    let what = format!("percent of a processor for {TASKS} beating tasks");
    results.at_most(&what, service[0], IDLE_PERCENT);
    results.add("idle tasks", &table, json!({ "service": service, "runtime": runtime }));
    Ok(())
}
