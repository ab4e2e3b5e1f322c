use super::super::{Connections, Membership, Peer};
use super::*;
use crate::lifecycle::Shared;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// As many connections, and their records.
fn found(count: usize) -> (Vec<Membership>, Vec<Arc<Record>>) {
    let (shared, _) = Shared::of_test();
    let connections = Arc::new(Connections::new(shared));
    let members: Vec<Membership> = (0..count).map(|_| connections.add(Peer::Other, true)).collect();
    let records = members.iter().map(|member| Arc::clone(member.record())).collect();
    (members, records)
}

fn told(members: &[Membership]) -> usize {
    members.iter().filter(|member| member.record().directive() == Directive::PassOn).count()
}

#[tokio::test]
async fn no_more_than_a_wave_is_under_way_and_the_next_ones_follow_as_others_are_done() {
    let (mut members, records) = found(WAVE * 2 + 10);
    let mut sweep = Sweep::default();
    sweep.found(records, ms(500));
    assert_eq!(sweep.tell(ms(0)), PACE);
    assert_eq!(told(&members), WAVE);
    sweep.tell(ms(2));
    assert_eq!(told(&members), WAVE, "none of them has been dealt with");
    // Some go, others have turned out to be busy.
    let is_told = |member: &Membership| member.record().directive() == Directive::PassOn;
    let mut left = 0;
    members.retain(|member| {
        !is_told(member) || {
            left += 1;
            left > 20
        }
    });
    for member in members.iter().filter(|member| is_told(member)).take(10) {
        member.record().done_with(Directive::PassOn);
    }
    sweep.tell(ms(4));
    assert_eq!(told(&members), WAVE);
    assert!(!sweep.is_over() && !sweep.is_due(ms(4)));
    for now in 0..10 {
        members.retain(|member| !is_told(member));
        sweep.tell(ms(6 + now));
    }
    assert!(sweep.is_over());
    assert_eq!(sweep.tell(ms(20)), ms(500), "nothing is under way");
    assert!(sweep.is_due(ms(500)));
}

#[tokio::test]
async fn it_is_over_once_all_were_looked_at_and_stays_so_whoever_comes_later() {
    let mut sweep = Sweep::default();
    sweep.tell(ms(0));
    assert!(!sweep.is_over(), "nobody has looked");
    sweep.found(Vec::new(), ms(50));
    sweep.tell(ms(1));
    assert!(sweep.is_over());
    let (_members, records) = found(1);
    sweep.found(records, ms(100));
    sweep.tell(ms(51));
    assert!(sweep.is_over());
    sweep.begin();
    assert!(!sweep.is_over());
}

#[tokio::test]
async fn one_that_is_upgraded_before_it_hears_of_it_is_not_waited_for() {
    let (members, records) = found(2);
    let mut sweep = Sweep::default();
    sweep.found(records, ms(50));
    sweep.tell(ms(0));
    members[0].record().state.set(state::UPGRADED);
    sweep.tell(ms(2));
    assert!(!sweep.is_over(), "the other one has not been dealt with");
    members[1].record().done_with(Directive::PassOn);
    sweep.tell(ms(4));
    assert!(sweep.is_over());
}

#[tokio::test]
async fn those_that_have_been_idle_for_the_longest_go_first() {
    let (members, records) = found(WAVE + 1);
    // The first of them has just asked once more.
    let busy = &records[0];
    assert!(busy.begin(&http::Method::GET, None, 0));
    busy.end(0, crate::connections::Ending::Completed);
    busy.flushed();
    let mut sweep = Sweep::default();
    sweep.found(records.clone(), ms(50));
    let _ = sweep.tell(ms(0));
    assert_eq!(told(&members), WAVE);
    assert_eq!(busy.directive(), Directive::None);
}
