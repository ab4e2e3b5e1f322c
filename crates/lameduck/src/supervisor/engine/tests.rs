//! The engine with real parts, real tasks and the paused clock: what the order promises holds for what runs.

use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::{Engine, order_of};
use crate::lifecycle::Shared;
use crate::part::{PartId, Tier};
use crate::resource::ResourcePart;
use crate::task::{Kind, Queue, Task, TaskPart, channel, consumer, timer, worker};

/// A part to be: its tier, what it uses (indices of earlier ones), how long it takes to end, and what it is.
#[derive(Clone, Debug)]
struct Plan {
    tier: Tier,
    uses: Vec<usize>,
    takes: Duration,
    consumes: bool,
}

/// What happened, in order.
type Log = Arc<Mutex<Vec<(usize, &'static str)>>>;

fn say(log: &Log, index: usize, what: &'static str) {
    log.lock().unwrap().push((index, what));
}

async fn end_slowly(log: Log, index: usize, takes: Duration) {
    tokio::time::sleep(takes).await;
    say(&log, index, "ended");
}

fn declare(shared: &Arc<Shared>, index: usize, plan: &Plan, log: &Log) -> PartId {
    let name = format!("n{index}");
    let (place, log, takes) = (Location::caller(), Arc::clone(log), plan.takes);
    let registry = shared.registry();
    match (plan.tier, plan.consumes) {
        (Tier::Source, false) => {
            let task = Task::new(&name, Kind::Timer, place, shared);
            // One run that is under way when the stop begins, and takes its time.
            let run = move || end_slowly(Arc::clone(&log), index, takes);
            let work = timer(Arc::clone(&task), Duration::from_secs(3600), run);
            registry.add(Arc::new(TaskPart::new(&task, work)))
        }
        (Tier::Source, true) => {
            let task = Task::new(&name, Kind::Consumer, place, shared);
            let one = futures_util::StreamExt::chain(
                futures_util::stream::iter([()]),
                futures_util::stream::pending(),
            );
            let handle = move |()| end_slowly(Arc::clone(&log), index, takes);
            let work = consumer(Arc::clone(&task), one, handle);
            registry.add(Arc::new(TaskPart::new(&task, work)))
        }
        (Tier::Worker, _) => {
            let task = Task::new(&name, Kind::Worker, place, shared);
            let (handle, home) = channel::<()>(1, &task);
            let work = move |mut queue: Queue<()>| {
                let log = Arc::clone(&log);
                async move {
                    while queue.recv().await.is_some() {}
                    say(&log, index, "told");
                    end_slowly(log, index, takes).await;
                }
            };
            let part = TaskPart::new(&task, worker(Arc::clone(&task), home, work));
            let id = registry.add(Arc::new(part));
            // Forgotten for good: a handle holds nothing open, and without any the queue would end by itself.
            std::mem::forget(handle(id.clone()));
            id
        }
        (Tier::Resource, _) => {
            let part = ResourcePart::new(&name, place, shared, move || async move {
                say(&log, index, "told");
                end_slowly(log, index, takes).await;
                Ok(())
            });
            registry.add(Arc::new(part))
        }
    }
}

/// Plans whose uses all point to a later one of the same or a later tier: free of circles.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    (1usize..12).prop_flat_map(|size| {
        let parts = prop::collection::vec((0usize..3, 0u64..400, any::<bool>()), size);
        let edges = prop::collection::vec((0..size, 0..size), 0..size * 2);
        (parts, edges).prop_map(|(mut parts, edges)| {
            parts.sort_unstable();
            let mut plans: Vec<Plan> = parts
                .into_iter()
                .map(|(tier, takes, consumes)| Plan {
                    tier: [Tier::Source, Tier::Worker, Tier::Resource][tier],
                    uses: Vec::new(),
                    takes: Duration::from_millis(takes),
                    consumes,
                })
                .collect();
            for (user, used) in edges {
                if user < used {
                    plans[user].uses.push(used);
                }
            }
            plans
        })
    })
}

/// Starts what was planned, and stops it: what happened.
async fn live(plans: &[Plan]) -> Vec<(usize, &'static str)> {
    let (shared, _inbox) = Shared::of_test();
    let log = Log::default();
    let declared = plans.iter().enumerate();
    let ids: Vec<PartId> =
        declared.map(|(index, plan)| declare(&shared, index, plan, &log)).collect();
    for (index, plan) in plans.iter().enumerate() {
        for used in &plan.uses {
            ids[index].uses(&ids[*used]);
        }
    }
    let entries = shared.registry().entries();
    let order = order_of(shared.registry(), &entries).expect("free of circles");
    let mut engine = Engine::new(entries, order);
    engine.start(Tier::Worker);
    engine.start(Tier::Source);
    // Everybody has begun, the timers too: a tick of the runtime's clock is 1 ms.
    tokio::time::sleep(Duration::from_millis(2)).await;
    for tier in [Tier::Source, Tier::Worker, Tier::Resource] {
        tokio::time::timeout(Duration::from_secs(60), async {
            while !engine.advance(tier) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("every tier ends");
    }
    shared.registry().clear();
    log.lock().unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn b7_no_resource_closes_while_anything_that_uses_it_still_runs(plans in plans()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let said = runtime.block_on(live(&plans));
        let at = |index, what| said.iter().position(|one| *one == (index, what));
        for (user, plan) in plans.iter().enumerate() {
            let ended = at(user, "ended");
            prop_assert!(ended.is_some(), "{user} never ended: {said:?}");
            for used in &plan.uses {
                // A source that is used is told in silence; that it ends after its user shows only for the others.
                if plans[*used].tier != Tier::Source {
                    prop_assert!(at(*used, "told") > ended, "{used} was told before {user} ended: {said:?}");
                }
            }
            for (other, later) in plans.iter().enumerate().filter(|(_, other)| other.tier > plan.tier) {
                prop_assert!(at(other, "told") > ended, "{other} ({}) before {user}: {said:?}", later.tier);
            }
        }
        let ends = said.iter().filter(|(_, what)| *what == "ended").count();
        prop_assert_eq!(ends, plans.len(), "each ends once: {:?}", said);
    }
}
