use proptest::prelude::*;

use super::{Node, Order, OrderError};
use crate::part::Tier;

fn node(name: &str, tier: Tier, uses: &[usize]) -> Node {
    Node { name: name.to_owned(), tier, uses: uses.to_vec() }
}

#[test]
fn two_parts_of_one_name_are_refused() {
    let error = Order::new(vec![node("db", Tier::Resource, &[]), node("db", Tier::Worker, &[])])
        .unwrap_err();
    assert_eq!(error, OrderError::Duplicate { name: "db".to_owned() });
}

#[test]
fn a_circle_is_named_along_its_way() {
    let error = Order::new(vec![
        node("start", Tier::Worker, &[1]),
        node("a", Tier::Worker, &[2]),
        node("b", Tier::Worker, &[3]),
        node("c", Tier::Worker, &[1]),
    ])
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`a` → `b` → `c` → `a` use each other in a circle, so none can stop first; remove one `.uses`"
    );
}

#[test]
fn a_part_that_uses_itself_is_a_circle() {
    let error = Order::new(vec![node("a", Tier::Resource, &[0])]).unwrap_err();
    assert_eq!(error, OrderError::Cycle { names: vec!["a".to_owned()] });
}

#[test]
fn a_use_against_the_tiers_is_refused_for_every_pair() {
    let tiers = [Tier::Source, Tier::Worker, Tier::Resource];
    for (i, user) in tiers.into_iter().enumerate() {
        for (j, used) in tiers.into_iter().enumerate() {
            let result = Order::new(vec![node("user", user, &[1]), node("used", used, &[])]);
            assert_eq!(result.is_ok(), i <= j, "{user} uses {used}: {result:?}");
        }
    }
}

#[test]
fn within_a_tier_users_start_after_what_they_use() {
    let order = Order::new(vec![
        node("public", Tier::Source, &[1]),
        node("relay", Tier::Source, &[]),
        node("mail", Tier::Worker, &[3]),
        node("render", Tier::Worker, &[4]),
        node("db", Tier::Resource, &[]),
    ])
    .unwrap();
    assert_eq!(order.starting(Tier::Worker), vec![3, 2]);
    assert_eq!(order.starting(Tier::Source), vec![1, 0]);
}

/// Nodes whose edges all point to a later node of the same or a later tier: free of circles by construction.
fn graphs() -> impl Strategy<Value = Vec<Node>> {
    (1usize..12).prop_flat_map(|size| {
        let tiers = prop::collection::vec(0usize..3, size);
        let edges = prop::collection::vec((0..size, 0..size), 0..size * 2);
        (tiers, edges).prop_map(|(mut tiers, edges)| {
            tiers.sort_unstable();
            let mut nodes: Vec<Node> = tiers
                .into_iter()
                .enumerate()
                .map(|(index, tier)| {
                    let tier = [Tier::Source, Tier::Worker, Tier::Resource][tier];
                    node(&format!("n{index}"), tier, &[])
                })
                .collect();
            for (a, b) in edges {
                if a < b {
                    nodes[a].uses.push(b);
                }
            }
            nodes
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// However the parts end, none is told to stop while one that uses it is left, and all are told in the
    /// end.
    #[test]
    fn nothing_stops_while_a_user_of_it_is_left(nodes in graphs(), picks in prop::collection::vec(any::<prop::sample::Index>(), 64)) {
        let order = Order::new(nodes.clone()).expect("free of circles");
        let mut told = vec![false; nodes.len()];
        let mut done = vec![false; nodes.len()];
        let mut picks = picks.into_iter();
        for tier in [Tier::Source, Tier::Worker, Tier::Resource] {
            while !order.is_empty(tier, &done) {
                for index in order.may_stop(tier, &told, &done) {
                    for (user, node) in nodes.iter().enumerate() {
                        prop_assert!(!node.uses.contains(&index) || done[user], "{user} still uses {index}");
                    }
                    told[index] = true;
                }
                let running: Vec<usize> =
                    (0..nodes.len()).filter(|index| told[*index] && !done[*index]).collect();
                prop_assert!(!running.is_empty(), "nobody is told and nobody runs: stuck");
                let pick = picks.next().map_or(0, |pick| pick.index(running.len()));
                done[running[pick]] = true;
            }
        }
        prop_assert!(told.iter().all(|told| *told));
    }
}
