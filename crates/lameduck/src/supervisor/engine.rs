//! Stops the parts in the order of use. The decision is [`Order`]'s; this keeps who was told and who is done.

use std::sync::Arc;
use std::time::Instant;

use crate::order::{Node, Order};
use crate::part::{Entry, Part, Registry, Tier};
use crate::report::{PartReport, Stuck, Totals};

/// The parts of a running service.
pub(super) struct Engine {
    parts: Vec<Arc<dyn Part>>,
    order: Order,
    told: Vec<bool>,
    /// Left behind at a deadline: nobody waits for these any more.
    abandoned: Vec<bool>,
}

impl Engine {
    /// The parts in an order that was checked before.
    pub(super) fn new(entries: Vec<Entry>, order: Order) -> Engine {
        let count = entries.len();
        let parts = entries.into_iter().map(|entry| entry.part).collect();
        Engine { parts, order, told: vec![false; count], abandoned: vec![false; count] }
    }

    /// What was registered before a start was given up. Only resources have begun; the others count as done.
    /// Where the uses are in no order, all close at once.
    pub(super) fn of_abandoned_start(registry: &Arc<Registry>) -> Engine {
        let entries = registry.entries();
        let order = order_of(registry, &entries).unwrap_or_else(|_| {
            let nodes = entries.iter().enumerate().map(|(index, entry)| Node {
                name: index.to_string(),
                tier: entry.part.identity().tier,
                uses: Vec::new(),
            });
            Order::new(nodes.collect()).unwrap_or_default()
        });
        let mut engine = Engine::new(entries, order);
        for (index, part) in engine.parts.iter().enumerate() {
            if part.identity().tier != Tier::Resource {
                engine.told[index] = true;
                engine.abandoned[index] = true;
                part.stop();
            }
        }
        engine
    }

    /// Starts the parts of a tier, each after what it uses.
    pub(super) fn start(&self, tier: Tier) {
        for index in self.order.starting(tier) {
            self.parts[index].start();
        }
    }

    /// Has the servers adopt connections, though they take no new ones yet.
    #[cfg(feature = "restart")]
    pub(super) fn prepare(&self) {
        for index in self.order.starting(Tier::Source) {
            self.parts[index].prepare();
        }
    }

    /// Starts the sources that are servers, or those that are not, each after what it uses.
    #[cfg(feature = "restart")]
    pub(super) fn start_sources(&self, servers: bool) {
        for index in self.order.starting(Tier::Source) {
            if self.parts[index].is_server() == servers {
                self.parts[index].start();
            }
        }
    }

    /// Tells every part of the tier to stop whose users are done. Says whether the tier is empty.
    pub(super) fn advance(&mut self, tier: Tier) -> bool {
        loop {
            let done = self.done();
            let next = self.order.may_stop(tier, &self.told, &done);
            if next.is_empty() {
                return self.order.is_empty(tier, &done);
            }
            for index in next {
                self.told[index] = true;
                self.parts[index].stop();
            }
        }
    }

    /// The tier's deadline: names what is left and leaves it behind.
    pub(super) fn abandon(&mut self, tier: Tier) -> Vec<Stuck> {
        let done = self.done();
        let (mut culprits, mut victims) = (Vec::new(), Vec::new());
        for (index, part) in self.parts.iter().enumerate() {
            if part.identity().tier != tier || done[index] {
                continue;
            }
            if std::mem::replace(&mut self.told[index], true) {
                culprits.extend(part.abandon());
            } else {
                // It never had its turn: to blame are those that use it.
                part.stop();
                victims.extend(part.abandon().into_iter().map(|mut stuck| {
                    stuck.doing = "waited for what uses it".to_owned();
                    stuck
                }));
            }
        }
        culprits.extend(victims);
        culprits
    }

    /// From now on nobody waits for what is left of the tier.
    pub(super) fn leave_behind(&mut self, tier: Tier) {
        for (index, part) in self.parts.iter().enumerate() {
            if part.identity().tier == tier {
                self.abandoned[index] = true;
            }
        }
    }

    pub(super) fn each(&self, mut f: impl FnMut(&dyn Part)) {
        for part in &self.parts {
            f(&**part);
        }
    }

    /// Lets every part see to its own deadlines; the earliest that it wants to be asked again.
    pub(super) fn tick(&self, now: Instant) -> Option<Instant> {
        self.parts.iter().filter_map(|part| part.tick(now)).min()
    }

    pub(super) fn reports(&self) -> Vec<PartReport> {
        self.parts.iter().filter_map(|part| part.report()).collect()
    }

    /// Whether one failed whose failure is the service's.
    pub(super) fn any_failed(&self) -> bool {
        self.parts.iter().any(|part| part.failed())
    }

    /// What was left behind at deadlines of its own.
    pub(super) fn overdue(&self) -> Vec<Stuck> {
        self.parts.iter().filter_map(|part| part.overdue()).collect()
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.each(|part| part.count(&mut totals));
        totals
    }

    fn done(&self) -> Vec<bool> {
        let parts = self.parts.iter().zip(&self.abandoned);
        parts.map(|(part, abandoned)| *abandoned || part.is_done()).collect()
    }
}

/// The order of what a registry holds.
///
/// # Errors
/// What [`Order::new`] refuses, and a use of another service's part.
pub(crate) fn order_of(
    registry: &Arc<Registry>,
    entries: &[Entry],
) -> Result<Order, crate::OrderError> {
    let mut nodes = Vec::with_capacity(entries.len());
    for entry in entries {
        let identity = entry.part.identity();
        let mut uses = Vec::with_capacity(entry.uses.len());
        for used in &entry.uses {
            uses.push(used.index_in(registry).ok_or_else(|| crate::OrderError::Foreign {
                user: identity.name.clone(),
                used: used.name(),
            })?);
        }
        nodes.push(Node { name: identity.name.clone(), tier: identity.tier, uses });
    }
    Order::new(nodes)
}

#[cfg(test)]
mod tests;
