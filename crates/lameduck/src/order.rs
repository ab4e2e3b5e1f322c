//! What uses what, and so who starts and stops when. Pure: it knows names and edges, nothing that runs.

use std::collections::HashSet;

use crate::part::Tier;

/// One part as the order sees it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) tier: Tier,
    /// The indices of the parts that it uses.
    pub(crate) uses: Vec<usize>,
}

/// Parts cannot be put in order. The text is one line that names them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Two parts have one name.
    #[error(
        "two parts are named `{name}`; give each its own name, since logs and the report name them"
    )]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Parts use each other in a circle.
    #[error(
        "{} use each other in a circle, so none can stop first; remove one `.uses`",
        circle(names)
    )]
    Cycle {
        /// The names along the circle; the last uses the first.
        names: Vec<String>,
    },
    /// A part uses one that must stop before it.
    #[error(
        "the {user_tier} `{user}` uses the {used_tier} `{used}`, but a {used_tier} stops before any {user_tier}; \
         sources may use workers and resources, workers may use resources"
    )]
    AgainstTiers {
        /// The user.
        user: String,
        /// Its tier.
        user_tier: String,
        /// What it uses.
        used: String,
        /// The tier of that.
        used_tier: String,
    },
    /// A part uses one of another service.
    #[error("`{user}` uses `{used}`, which belongs to another service; declare both in one setup")]
    Foreign {
        /// The user.
        user: String,
        /// What it uses.
        used: String,
    },
}

fn circle(names: &[String]) -> String {
    let mut text: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if let Some(first) = text.first().cloned() {
        text.push(first);
    }
    text.join(" → ")
}

/// The parts of a service in an order that is known to be free of circles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    nodes: Vec<Node>,
    /// Of each part: those of its tier that use it.
    users: Vec<Vec<usize>>,
}

impl Order {
    /// Checks the nodes.
    ///
    /// # Errors
    /// Two of one name, a circle, or a use against the tiers.
    pub(crate) fn new(nodes: Vec<Node>) -> Result<Order, OrderError> {
        let (mut names, mut users) = (HashSet::new(), vec![Vec::new(); nodes.len()]);
        for node in &nodes {
            if !names.insert(&node.name) {
                return Err(OrderError::Duplicate { name: node.name.clone() });
            }
            if let Some(used) =
                node.uses.iter().map(|used| &nodes[*used]).find(|used| used.tier < node.tier)
            {
                return Err(OrderError::AgainstTiers {
                    user: node.name.clone(),
                    user_tier: node.tier.to_string(),
                    used: used.name.clone(),
                    used_tier: used.tier.to_string(),
                });
            }
        }
        for (index, node) in nodes.iter().enumerate() {
            for used in node.uses.iter().filter(|used| nodes[**used].tier == node.tier) {
                users[*used].push(index);
            }
        }
        let order = Order { nodes, users };
        match order.find_circle() {
            Some(names) => Err(OrderError::Cycle { names }),
            None => Ok(order),
        }
    }

    /// The order in which the parts of a tier start: each after what it uses.
    pub(crate) fn starting(&self, tier: Tier) -> Vec<usize> {
        // Depth first, as there are no circles: what is used is listed before its user.
        fn visit(order: &Order, at: usize, seen: &mut [bool], listed: &mut Vec<usize>) {
            if std::mem::replace(&mut seen[at], true) {
                return;
            }
            for used in order.same_tier_uses(at) {
                visit(order, used, seen, listed);
            }
            listed.push(at);
        }
        let (mut seen, mut listed) = (vec![false; self.nodes.len()], Vec::new());
        for (index, node) in self.nodes.iter().enumerate() {
            if node.tier == tier {
                visit(self, index, &mut seen, &mut listed);
            }
        }
        listed
    }

    /// Which parts of a tier may be told to stop now: those not told yet, none of whose users is left.
    pub(crate) fn may_stop(&self, tier: Tier, told: &[bool], done: &[bool]) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|index| self.nodes[*index].tier == tier && !told[*index])
            .filter(|index| self.users[*index].iter().all(|user| done[*user]))
            .collect()
    }

    /// Whether every part of a tier is done.
    pub(crate) fn is_empty(&self, tier: Tier, done: &[bool]) -> bool {
        self.nodes.iter().zip(done).all(|(node, done)| node.tier != tier || *done)
    }

    fn same_tier_uses(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let node = &self.nodes[index];
        node.uses.iter().copied().filter(move |used| self.nodes[*used].tier == node.tier)
    }

    /// The names along a circle, if there is one.
    fn find_circle(&self) -> Option<Vec<String>> {
        // Depth first; `open` is the path walked, so meeting one of it again closes a circle.
        fn walk(
            nodes: &[Node],
            at: usize,
            open: &mut Vec<usize>,
            closed: &mut [bool],
        ) -> Option<Vec<usize>> {
            if let Some(from) = open.iter().position(|index| *index == at) {
                return Some(open[from..].to_vec());
            }
            if closed[at] {
                return None;
            }
            open.push(at);
            for used in &nodes[at].uses {
                if let Some(circle) = walk(nodes, *used, open, closed) {
                    return Some(circle);
                }
            }
            open.pop();
            closed[at] = true;
            None
        }
        let mut closed = vec![false; self.nodes.len()];
        (0..self.nodes.len())
            .find_map(|index| walk(&self.nodes, index, &mut Vec::new(), &mut closed))
            .map(|circle| circle.into_iter().map(|index| self.nodes[index].name.clone()).collect())
    }
}

#[cfg(test)]
mod tests;
