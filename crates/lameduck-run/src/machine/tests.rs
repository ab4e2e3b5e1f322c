//! The whole table: every state × every event; then time, readiness and whole lives.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::machine::SAME_SIGNAL;
use super::state::{Old, State};
use super::{
    Action, ChildId, End, Event, Fact, Failure, Machine, Readiness, Rules, Sign, StopSignal,
};

const ONE: ChildId = ChildId(1);
const TWO: ChildId = ChildId(2);
const THREE: ChildId = ChildId(3);
const NOBODY: ChildId = ChildId(9);

const TERM: StopSignal = StopSignal::Terminate;
const INT: StopSignal = StopSignal::Interrupt;
const QUIT: StopSignal = StopSignal::Quit;
/// How the first child ends by itself, and how any other end is told from that.
const ENDS: End = End::Code(3);
const KILLED: End = End::Signal(9);

const GRACE: Duration = Duration::from_secs(30);
const WITHIN: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Every state that differs in what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// 1 is not ready yet.
    Starting,
    /// 1 serves.
    Serving,
    /// 1 serves, 2 is not ready yet.
    Replacing,
    /// 1 has ended, 2 is not ready yet.
    Alone,
    /// 2 serves, 1 was told to end.
    Retiring,
    /// 1 serves, 2 was not ready in time and was told to end.
    Failing,
    /// 1 served, 2 was not ready yet; both were told to end.
    Stopping,
    Over,
}

const PLACES: [Place; 8] = [
    Place::Starting,
    Place::Serving,
    Place::Replacing,
    Place::Alone,
    Place::Retiring,
    Place::Failing,
    Place::Stopping,
    Place::Over,
];

fn rules(ready: Readiness) -> Rules {
    Rules { ready, ready_within: WITHIN, grace: GRACE }
}

fn said(child: ChildId) -> Event {
    Event::Ready(child, Sign::Said)
}

fn ended(child: ChildId) -> Event {
    Event::Ended(child, ENDS)
}

/// A machine brought there on the ordinary way, and the time it is there.
fn at(place: Place) -> (Machine, Instant) {
    let now = Instant::now();
    let late = now + WITHIN;
    let steps: Vec<(Event, Instant)> = match place {
        Place::Starting => vec![],
        Place::Serving => vec![(said(ONE), now)],
        Place::Replacing => vec![(said(ONE), now), (Event::Replace, now)],
        Place::Alone => vec![(said(ONE), now), (Event::Replace, now), (ended(ONE), now)],
        Place::Retiring => vec![(said(ONE), now), (Event::Replace, now), (said(TWO), now)],
        Place::Failing => vec![(said(ONE), now), (Event::Replace, now), (Event::Time, late)],
        Place::Stopping => vec![(said(ONE), now), (Event::Replace, now), (Event::Stop(TERM), now)],
        Place::Over => vec![(ended(ONE), now)],
    };
    let (mut machine, first) = Machine::new(rules(Readiness::Said), now);
    assert_eq!(first, [Action::Start(ONE)]);
    for (event, at) in &steps {
        let _ = machine.step(*event, *at);
    }
    let reached = steps.last().map_or(now, |(_, at)| *at);
    assert_eq!(place_of(&machine), place);
    (machine, reached)
}

fn place_of(machine: &Machine) -> Place {
    match machine.state() {
        State::Starting(_) => Place::Starting,
        State::Serving(_) => Place::Serving,
        State::Replacing { old: Old::Serves(_), .. } => Place::Replacing,
        State::Replacing { old: Old::Ended(_), .. } => Place::Alone,
        State::Retiring { replaced: true, .. } => Place::Retiring,
        State::Retiring { replaced: false, .. } => Place::Failing,
        State::Stopping(_) => Place::Stopping,
        State::Over => Place::Over,
    }
}

fn events() -> Vec<Event> {
    let mut events = vec![Event::Replace, Event::Time];
    events.extend([TERM, INT, QUIT].map(Event::Stop));
    for child in [ONE, TWO, NOBODY] {
        events.extend([said(child), Event::Ready(child, Sign::Answered), ended(child)]);
        events.push(Event::Started(child));
    }
    events
}

/// What an event does in a state, a second after that was reached.
fn expected(place: Place, event: Event) -> (Place, Vec<Action>) {
    use Action as A;
    use Place as P;
    let stay = |actions: Vec<Action>| (place, actions);
    let say = |fact| vec![A::Say(fact)];
    match event {
        Event::Replace => match place {
            P::Serving => {
                let facts = A::Say(Fact::Replacing { old: ONE, new: TWO });
                (P::Replacing, vec![facts, A::Start(TWO)])
            }
            P::Starting | P::Replacing | P::Alone | P::Retiring | P::Failing => {
                stay(say(Fact::Remembered))
            }
            P::Stopping | P::Over => stay(say(Fact::Refused)),
        },
        Event::Stop(signal) => {
            let told: &[ChildId] = match place {
                P::Starting | P::Serving | P::Failing => &[ONE],
                P::Replacing => &[ONE, TWO],
                P::Alone | P::Retiring => &[TWO],
                P::Stopping => {
                    return match signal {
                        StopSignal::Terminate => stay(say(Fact::Repeated(signal))),
                        StopSignal::Interrupt | StopSignal::Quit => {
                            stay(vec![A::Say(Fact::Forced(signal)), A::Kill(ONE), A::Kill(TWO)])
                        }
                    };
                }
                P::Over => return stay(vec![]),
            };
            let mut actions = vec![A::Say(Fact::Stopping(signal)), A::CloseSockets];
            actions.extend(told.iter().map(|child| A::Signal(*child, signal)));
            (P::Stopping, actions)
        }
        Event::Ready(child, Sign::Said) => {
            let ready = A::Say(Fact::Ready(child, Sign::Said));
            match place {
                P::Starting if child == ONE => (P::Serving, vec![ready]),
                P::Replacing if child == TWO => (P::Retiring, vec![ready, A::Signal(ONE, TERM)]),
                P::Alone if child == TWO => (P::Serving, vec![ready]),
                P::Starting
                | P::Serving
                | P::Replacing
                | P::Alone
                | P::Retiring
                | P::Failing
                | P::Stopping
                | P::Over => stay(vec![]),
            }
        }
        // Nobody was asked; and time is not over for anybody.
        Event::Ready(_, Sign::Answered | Sign::Lived) | Event::Time => stay(vec![]),
        // It moves times alone.
        Event::Started(_) => stay(vec![]),
        Event::Ended(NOBODY, _) => stay(vec![]),
        Event::Ended(child, end) => {
            let all_over = (P::Over, vec![A::Say(Fact::Ended(child, end)), A::Exit(3)]);
            let failed =
                |old| A::Say(Fact::ReplacementFailed { new: TWO, why: Failure::Ended(end), old });
            // The one that served has ended, and the other has still to.
            let rest = (P::Stopping, vec![A::Say(Fact::Ended(child, end)), A::CloseSockets]);
            match place {
                P::Starting | P::Serving if child == ONE => all_over,
                P::Replacing if child == ONE => (P::Alone, say(Fact::Ended(ONE, end))),
                P::Replacing => (P::Serving, vec![failed(Some(ONE))]),
                P::Alone if child == TWO => (P::Over, vec![failed(None), A::Exit(3)]),
                P::Retiring if child == ONE => {
                    (P::Serving, say(Fact::Replaced { old: ONE, end, new: TWO }))
                }
                P::Failing if child == TWO => (P::Serving, say(Fact::Gone(TWO, end))),
                P::Retiring | P::Failing => rest,
                P::Stopping => stay(say(Fact::Gone(child, end))),
                P::Starting | P::Serving | P::Alone | P::Over => stay(vec![]),
            }
        }
    }
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    for place in PLACES {
        for event in events() {
            let (mut machine, reached) = at(place);
            let actions = machine.step(event, reached + SECOND);
            let (new_place, expected) = expected(place, event);
            assert_eq!(actions, expected, "{place:?} × {event:?}");
            assert_eq!(place_of(&machine), new_place, "{place:?} × {event:?}");
        }
    }
}

#[test]
fn a_new_child_that_is_not_ready_in_time_is_ended_and_killed_and_the_old_one_serves_on() {
    let (mut machine, begun) = at(Place::Replacing);
    let late = begun + WITHIN;
    assert_eq!(machine.wake_at(), Some(late));
    let failed = Fact::ReplacementFailed { new: TWO, why: Failure::NotReady, old: Some(ONE) };
    assert_eq!(machine.step(Event::Time, late), [Action::Say(failed), Action::Signal(TWO, TERM)]);
    let overdue = late + GRACE;
    assert_eq!(machine.wake_at(), Some(overdue));
    assert_eq!(
        machine.step(Event::Time, overdue),
        [Action::Say(Fact::Overdue(TWO)), Action::Kill(TWO)]
    );
    // Its READY=1 comes too late.
    assert_eq!(machine.step(said(TWO), overdue), []);
    assert_eq!(
        machine.step(Event::Ended(TWO, KILLED), overdue),
        [Action::Say(Fact::Gone(TWO, KILLED))]
    );
    assert_eq!(place_of(&machine), Place::Serving);
    assert_eq!(machine.wake_at(), None);
}

#[test]
fn an_old_child_that_does_not_end_is_killed_after_the_grace() {
    let (mut machine, told) = at(Place::Retiring);
    let overdue = told + GRACE;
    assert_eq!(machine.wake_at(), Some(overdue));
    let kill = [Action::Say(Fact::Overdue(ONE)), Action::Kill(ONE)];
    assert_eq!(machine.step(Event::Time, overdue), kill);
    // One that waits for a disk is given up, and the next replacement can begin.
    let given_up = machine.wake_at().unwrap();
    assert_eq!(
        machine.step(Event::Time, given_up),
        [
            Action::Say(Fact::Unkillable(ONE)),
            Action::Say(Fact::Replaced { old: ONE, end: KILLED, new: TWO })
        ]
    );
    assert_eq!(place_of(&machine), Place::Serving);
}

#[test]
fn a_first_child_that_is_not_ready_in_time_is_ended_and_the_code_says_so() {
    let (mut machine, begun) = at(Place::Starting);
    assert_eq!(
        machine.step(Event::Time, begun + WITHIN),
        [Action::Say(Fact::NotReady(ONE)), Action::CloseSockets, Action::Signal(ONE, TERM)]
    );
    let last = machine.step(Event::Ended(ONE, End::Code(0)), begun + WITHIN);
    assert_eq!(last, [Action::Say(Fact::Gone(ONE, End::Code(0))), Action::Exit(1)]);
}

#[test]
fn a_child_that_serves_alone_after_the_old_one_ended_is_ended_if_it_is_not_ready_in_time() {
    let (mut machine, begun) = at(Place::Alone);
    let failed = Fact::ReplacementFailed { new: TWO, why: Failure::NotReady, old: None };
    assert_eq!(
        machine.step(Event::Time, begun + WITHIN),
        [Action::Say(failed), Action::CloseSockets, Action::Signal(TWO, TERM)]
    );
    let last = machine.step(Event::Ended(TWO, KILLED), begun + WITHIN);
    assert_eq!(last.last(), Some(&Action::Exit(3)), "the code of the one that had served");
}

#[test]
fn a_stop_ends_when_the_last_child_has_and_with_the_code_of_the_one_that_served() {
    for order in [[ONE, TWO], [TWO, ONE]] {
        let (mut machine, now) = at(Place::Stopping);
        let end = |child| if child == ONE { End::Code(7) } else { End::Code(8) };
        let first = machine.step(Event::Ended(order[0], end(order[0])), now);
        assert_eq!(first, [Action::Say(Fact::Gone(order[0], end(order[0])))]);
        let second = machine.step(Event::Ended(order[1], end(order[1])), now);
        assert_eq!(second.last(), Some(&Action::Exit(7)), "{order:?}");
    }
}

#[test]
fn children_that_do_not_stop_are_killed_after_the_grace_and_given_up_in_the_end() {
    let (mut machine, now) = at(Place::Stopping);
    let killed = machine.step(Event::Time, now + GRACE);
    assert!(killed.contains(&Action::Kill(ONE)) && killed.contains(&Action::Kill(TWO)));
    let given_up = machine.wake_at().unwrap();
    let last = machine.step(Event::Time, given_up);
    assert_eq!(last.last(), Some(&Action::Exit(137)), "{last:?}");
    assert_eq!(machine.wake_at(), None);
}

#[test]
fn a_stop_while_the_old_child_drains_leaves_that_its_own_time() {
    let (mut machine, told) = at(Place::Retiring);
    let _ = machine.step(Event::Stop(TERM), told + SECOND);
    let first = machine.step(Event::Time, told + GRACE);
    assert_eq!(first, [Action::Say(Fact::Overdue(ONE)), Action::Kill(ONE)]);
    let second = machine.step(Event::Time, told + SECOND + GRACE);
    assert_eq!(second, [Action::Say(Fact::Overdue(TWO)), Action::Kill(TWO)]);
}

#[test]
fn stop_signals_close_to_each_other_are_one() {
    for signal in [INT, QUIT] {
        let (mut machine, now) = at(Place::Serving);
        let _ = machine.step(Event::Stop(TERM), now);
        let soon = now + SAME_SIGNAL.checked_sub(Duration::from_millis(1)).unwrap();
        let repeated = [Action::Say(Fact::Repeated(signal))];
        assert_eq!(machine.step(Event::Stop(signal), soon), repeated);
        let forced = [Action::Say(Fact::Forced(signal)), Action::Kill(ONE)];
        assert_eq!(machine.step(Event::Stop(signal), now + SAME_SIGNAL), forced);
        let once = [Action::Say(Fact::Forced(signal))];
        assert_eq!(machine.step(Event::Stop(signal), now + SECOND), once, "it is killed once");
    }
}

#[test]
fn the_first_signal_after_a_stop_that_none_began_kills_nobody() {
    let (mut machine, now) = at(Place::Retiring);
    let _ = machine.step(ended(TWO), now);
    let now = now + SECOND;
    assert_eq!(machine.step(Event::Stop(INT), now), [Action::Say(Fact::Repeated(INT))]);
    let forced = machine.step(Event::Stop(INT), now + SECOND);
    assert_eq!(forced, [Action::Say(Fact::Forced(INT)), Action::Kill(ONE)]);
}

#[test]
fn several_requests_during_a_replacement_are_one_replacement_more() {
    let (mut machine, now) = at(Place::Replacing);
    for _ in 0..3 {
        assert_eq!(machine.step(Event::Replace, now), [Action::Say(Fact::Remembered)]);
    }
    let _ = machine.step(said(TWO), now);
    let follows = machine.step(ended(ONE), now);
    let replacing = Action::Say(Fact::Replacing { old: TWO, new: THREE });
    assert_eq!(follows[1..], [replacing, Action::Start(THREE)]);
    let _ = machine.step(said(THREE), now);
    assert_eq!(machine.step(ended(TWO), now).len(), 1, "and no other one");
    assert_eq!(place_of(&machine), Place::Serving);
}

#[test]
fn a_request_during_the_start_or_a_failed_replacement_follows_too() {
    let (mut machine, now) = at(Place::Starting);
    let _ = machine.step(Event::Replace, now);
    assert_eq!(machine.step(said(ONE), now).last(), Some(&Action::Start(TWO)));
    let _ = machine.step(Event::Replace, now);
    assert_eq!(machine.step(ended(TWO), now).last(), Some(&Action::Start(THREE)));
}

#[test]
fn each_way_to_be_ready_takes_its_own_sign_and_no_other() {
    let two = Duration::from_secs(2);
    for (ready, sign, time) in [
        (Readiness::Said, Some(Sign::Said), None),
        (Readiness::Answered, Some(Sign::Answered), None),
        (Readiness::Lived(two), None, Some(two)),
        (Readiness::Auto, Some(Sign::Said), Some(SECOND)),
    ] {
        for given in [Sign::Said, Sign::Answered] {
            let (mut machine, _) = Machine::new(rules(ready), Instant::now());
            let _ = machine.step(Event::Ready(ONE, given), Instant::now());
            let is_ready = place_of(&machine) == Place::Serving;
            assert_eq!(is_ready, sign == Some(given), "{ready:?} × {given:?}");
        }
        let now = Instant::now();
        let (mut machine, _) = Machine::new(rules(ready), now);
        assert_eq!(machine.wake_at(), Some(now + time.unwrap_or(WITHIN)), "{ready:?}");
        let _ = machine.step(Event::Time, now + time.unwrap_or(WITHIN));
        let is_ready = place_of(&machine) == Place::Serving;
        assert_eq!(is_ready, time.is_some(), "{ready:?} × time");
    }
}

#[test]
fn what_the_program_has_said_once_is_asked_of_its_replacement() {
    for late in [false, true] {
        let now = Instant::now();
        let (mut machine, _) = Machine::new(rules(Readiness::Auto), now);
        if late {
            // It counted as alive before it said so.
            let _ = machine.step(Event::Time, now + SECOND);
        }
        let _ = machine.step(said(ONE), now + SECOND);
        let _ = machine.step(Event::Replace, now + SECOND);
        assert_eq!(machine.wake_at(), Some(now + SECOND + WITHIN), "a second does not do");
    }
    // One that never said it is not asked to.
    let now = Instant::now();
    let (mut machine, _) = Machine::new(rules(Readiness::Auto), now);
    let _ = machine.step(Event::Time, now + SECOND);
    let _ = machine.step(Event::Replace, now + SECOND);
    assert_eq!(machine.wake_at(), Some(now + SECOND + SECOND));
}

#[test]
fn a_childs_time_runs_from_when_its_process_is_there() {
    let now = Instant::now();
    let (mut machine, _) = Machine::new(rules(Readiness::Auto), now);
    let there = now + 5 * SECOND;
    let _ = machine.step(Event::Started(TWO), there);
    assert_eq!(machine.wake_at(), Some(now + SECOND), "it is not that one");
    let _ = machine.step(Event::Started(ONE), there);
    assert_eq!(machine.step(Event::Time, there), []);
    assert_eq!(machine.wake_at(), Some(there + SECOND));
}

#[test]
fn the_exit_codes_are_those_of_a_shell() {
    let codes = [End::Code(0), End::Code(75), End::Signal(15), End::NotStarted];
    assert_eq!(codes.map(End::exit_code), [0, 75, 143, 2]);
}

proptest! {
    /// Whatever happens in whatever order: the child that serves is told to end only if another is ready or everything
    /// stops; there are never more than two children; the sockets are closed before a stop is passed on; and once the
    /// stop has begun it ends.
    #[test]
    fn no_order_of_events_leaves_nobody_serving(
        happens in prop::collection::vec((0usize..8, 0u64..40_000), 0..60)
    ) {
        let mut now = Instant::now();
        let (mut machine, first) = Machine::new(rules(Readiness::Said), now);
        let mut world = World::default();
        world.take(&first);
        for (what, pause) in happens {
            now += Duration::from_millis(pause);
            let oldest = world.alive.first().copied().unwrap_or(NOBODY);
            let newest = world.alive.last().copied().unwrap_or(NOBODY);
            let event = match what {
                0 | 1 => Event::Replace,
                2 => said(newest),
                3 => ended(oldest),
                4 => ended(newest),
                5 => Event::Stop([TERM, INT, QUIT][usize::try_from(pause % 3).unwrap()]),
                _ => Event::Time,
            };
            if let Event::Ended(child, _) = event {
                world.alive.retain(|alive| *alive != child);
            }
            if let Event::Ready(child, _) = event {
                world.ready.push(child);
            }
            world.take(&machine.step(event, now));
            prop_assert!(world.alive.len() <= 2, "{:?}", world);
            prop_assert!(!world.wrong, "{:?}", world);
        }
        let _ = machine.step(Event::Stop(TERM), now);
        for _ in 0..6 {
            let Some(at) = machine.wake_at() else { break };
            let _ = machine.step(Event::Time, at);
        }
        prop_assert_eq!(place_of(&machine), Place::Over);
    }
}

/// What became of the actions.
#[derive(Debug, Default)]
struct World {
    alive: Vec<ChildId>,
    ready: Vec<ChildId>,
    closed: bool,
    wrong: bool,
}

impl World {
    fn take(&mut self, actions: &[Action]) {
        for action in actions {
            match *action {
                Action::Start(child) => {
                    self.wrong |= self.closed;
                    self.alive.push(child);
                }
                Action::CloseSockets => self.closed = true,
                // Told to end: everything stops, or it was never ready itself, or another is.
                Action::Signal(child, _) => {
                    let other = self
                        .alive
                        .iter()
                        .any(|alive| *alive != child && self.ready.contains(alive));
                    self.wrong |= !self.closed && self.ready.contains(&child) && !other;
                }
                Action::Exit(_) => self.closed = true,
                Action::Say(Fact::Unkillable(child)) => self.alive.retain(|alive| *alive != child),
                Action::Kill(_) | Action::Say(_) => {}
            }
        }
    }
}
