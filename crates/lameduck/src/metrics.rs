//! The figures of a service in the text format of Prometheus, from a registry of the service's own.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::lifecycle::Shared;
use crate::phase::Phase;
use crate::report::{PartState, Totals};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPhase {
    phase: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfState {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTask {
    task: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

/// The figures, now. They are counted where they arise, on each connection, and added up here: the request
/// path knows nothing of metrics.
pub(crate) fn render(shared: &Arc<Shared>) -> String {
    let mut totals = Totals::default();
    for entry in shared.registry().entries() {
        entry.part.count(&mut totals);
    }
    let mut registry = Registry::with_prefix("lameduck");
    phases(&mut registry, shared);

    let in_flight = Gauge::<i64>::default();
    in_flight.set(whole(totals.in_flight));
    registry.register("requests_in_flight", "Requests in flight", in_flight);

    let connections = Family::<OfState, Gauge>::default();
    let open = totals.open;
    for (state, count) in [
        ("unspoken", open.unspoken),
        ("handshake", open.handshake),
        ("head", open.head),
        ("in_flight", open.in_flight),
        ("idle", open.idle),
        ("upgraded", open.upgraded),
    ] {
        connections.get_or_create(&OfState { state }).set(whole(count));
    }
    registry.register("connections", "Open connections by state", connections);

    let requests = Family::<OfOutcome, Counter>::default();
    let counts = totals.requests;
    for (outcome, count) in [
        ("completed", counts.completed),
        ("answered_503", counts.answered_503),
        ("interrupted", counts.interrupted),
        ("cut", counts.cut),
        ("gone", counts.gone),
    ] {
        requests.get_or_create(&OfOutcome { outcome }).inc_by(count);
    }
    registry.register("requests", "Requests by outcome", requests);

    tasks(&mut registry, shared);

    #[cfg(feature = "restart")]
    {
        let failed = Counter::<u64>::default();
        failed.inc_by(shared.restarts_failed());
        let help = "Restarts that failed, so that this process serves on";
        registry.register("restarts_failed", help, failed);
    }

    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, &registry);
    text
}

fn phases(registry: &mut Registry, shared: &Shared) {
    let now = shared.phase();
    let phase = Family::<OfPhase, Gauge>::default();
    for each in Phase::ALL {
        phase.get_or_create(&OfPhase { phase: each.name() }).set(i64::from(each == now));
    }
    registry.register("phase", "1 for the phase that the service is in", phase);

    let lengths = Family::<OfPhase, Gauge<f64, AtomicU64>>::default();
    for (each, took) in shared.phases(Instant::now()) {
        lengths.get_or_create(&OfPhase { phase: each.name() }).set(took.as_secs_f64());
    }
    registry.register("phase_seconds", "Length of each phase, of the present one so far", lengths);
}

fn tasks(registry: &mut Registry, shared: &Shared) {
    let by_state = Family::<OfState, Gauge>::default();
    let hung = Family::<OfTask, Gauge>::default();
    let failures = Family::<OfTask, Counter>::default();
    let beats = Family::<OfTask, Gauge<f64, AtomicU64>>::default();
    let done = Family::<OfTask, Gauge>::default();
    let of = Family::<OfTask, Gauge>::default();
    for task in crate::admin::views(shared) {
        by_state.get_or_create(&OfState { state: task.state.name() }).inc();
        // Those that setup did not declare come and go: they would make ever new series.
        if matches!(task.kind, "shield" | "blocking") {
            continue;
        }
        let label = OfTask { task: task.name, kind: task.kind };
        failures.get_or_create(&label).inc_by(task.failures);
        if task.promise.is_some() {
            hung.get_or_create(&label).set(i64::from(task.state == PartState::Hung));
            let ago = task.beat.unwrap_or_default();
            beats.get_or_create(&label).set(ago.as_secs_f64());
        }
        if let Some(progress) = task.progress {
            done.get_or_create(&label).set(whole(progress.done));
            if let Some(total) = progress.of {
                of.get_or_create(&label).set(whole(total));
            }
        }
    }
    registry.register("tasks", "Tasks by state, shields and blocking work included", by_state);
    registry.register("task_hung", "1 for a task that promised to beat and does not", hung);
    registry.register("task_failures", "Errors and panics of a task", failures);
    let help = "Since the last beat of a task that promised to; 0 while it waits for work";
    registry.register("task_beat_age_seconds", help, beats);
    registry.register("task_progress_done", "How far a task is", done);
    registry.register("task_progress_of", "How far it will be", of);
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
