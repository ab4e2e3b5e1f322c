//! The whole table: every state × every event.

use proptest::prelude::*;

use super::*;

const WITHIN: Duration = Duration::from_secs(17);

const ALL: [State; 5] =
    [State::Starting, State::Offered, State::Committed, State::Whole, State::Stopping];

const EVENTS: [Event; 11] = [
    Event::Up,
    Event::Connections,
    Event::Commit(WITHIN),
    Event::Background,
    Event::Done,
    Event::Abort,
    Event::Gone,
    Event::Serving,
    Event::Stopping { failed: false },
    Event::Stopping { failed: true },
    Event::Time,
];

fn so_far(state: State) -> (Taking, Instant) {
    let now = Instant::now();
    let mut taking = Taking::new();
    let events: &[Event] = match state {
        State::Starting => &[],
        State::Offered => &[Event::Up],
        State::Committed => &[Event::Up, Event::Commit(WITHIN)],
        State::Whole => &[Event::Up, Event::Commit(WITHIN), Event::Background],
        State::Stopping => &[Event::Stopping { failed: false }],
    };
    for event in events {
        let _ = taking.step(*event, now);
    }
    assert_eq!(taking.state, state);
    (taking, now)
}

/// What an event does: the table, cell by cell.
fn expected(state: State, event: Event) -> (State, Vec<Action>) {
    use Action as A;
    use State as S;
    let stay = (state, vec![]);
    match event {
        Event::Up => match state {
            S::Starting => (S::Offered, vec![A::SayReady]),
            S::Offered | S::Committed | S::Whole | S::Stopping => stay,
        },
        Event::Connections => match state {
            S::Offered | S::Committed | S::Whole => (state, vec![A::Take]),
            S::Starting | S::Stopping => (state, vec![A::Leave]),
        },
        Event::Commit(_) => match state {
            S::Offered => (S::Committed, vec![A::Accept]),
            S::Starting | S::Committed | S::Whole | S::Stopping => stay,
        },
        Event::Background => match state {
            S::Committed => (S::Whole, vec![A::StartBackground]),
            S::Starting | S::Offered | S::Whole | S::Stopping => stay,
        },
        Event::Done => match state {
            S::Committed => (S::Whole, vec![A::StartBackground, A::Free]),
            S::Starting | S::Offered | S::Whole | S::Stopping => (state, vec![A::Free]),
        },
        Event::Abort => match state {
            S::Starting | S::Offered | S::Committed | S::Whole => {
                (S::Stopping, vec![A::SayLeaving { failed: false }, A::Stop])
            }
            S::Stopping => stay,
        },
        Event::Gone => match state {
            S::Starting | S::Stopping => stay,
            S::Offered => (S::Whole, vec![A::Accept, A::StartBackground, A::Free, A::Alone]),
            S::Committed => (S::Whole, vec![A::StartBackground, A::Free, A::Alone]),
            S::Whole => (S::Whole, vec![A::Free, A::Alone]),
        },
        Event::Serving => (state, vec![A::SayServing]),
        Event::Stopping { failed } => match state {
            S::Starting | S::Offered | S::Committed | S::Whole => {
                (S::Stopping, vec![A::SayLeaving { failed }])
            }
            S::Stopping => stay,
        },
        Event::Time => stay,
    }
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    for state in ALL {
        for event in EVENTS {
            let (mut taking, now) = so_far(state);
            let actions = taking.step(event, now);
            assert_eq!((taking.state, actions), expected(state, event), "{state:?} × {event:?}");
        }
    }
}

#[test]
fn a_predecessor_that_dies_during_the_start_leaves_everything_to_its_successor() {
    let (mut taking, now) = so_far(State::Starting);
    assert_eq!(taking.step(Event::Gone, now), []);
    assert!(!taking.is_over());
    let all = [
        Action::SayReady,
        Action::Accept,
        Action::StartBackground,
        Action::Free,
        Action::Alone,
    ];
    assert_eq!(taking.step(Event::Up, now), all);
    assert!(taking.is_over());
    assert_eq!(taking.wake_at(), None);
}

#[test]
fn a_successor_that_is_never_wanted_stops() {
    let (mut taking, now) = so_far(State::Offered);
    assert_eq!(taking.wake_at(), Some(now + COMMIT));
    let actions = taking.step(Event::Time, now + COMMIT);
    assert_eq!(actions, [Action::SayLeaving { failed: true }, Action::Stop]);
}

#[test]
fn timers_do_not_wait_for_a_predecessor_that_stands_still() {
    let (mut taking, now) = so_far(State::Committed);
    let late = now + WITHIN + LATE;
    assert_eq!(taking.wake_at(), Some(late));
    assert_eq!(taking.step(Event::Time, late), [Action::StartBackgroundLate]);
    assert_eq!(taking.step(Event::Done, late), [Action::Free]);
}

proptest! {
    /// Whatever comes in whatever order: it accepts once at most, timers start once at most and never before that, and
    /// nothing is taken once it stops.
    #[test]
    fn it_begins_everything_once(events in prop::collection::vec((0..EVENTS.len(), 0u64..20_000), 0..40)) {
        let mut now = Instant::now();
        let mut taking = Taking::new();
        let mut actions = Vec::new();
        for (event, pause) in events {
            now += Duration::from_millis(pause);
            actions.extend(taking.step(EVENTS[event], now));
        }
        let places = |wanted: &[Action]| -> Vec<usize> {
            let found = actions.iter().enumerate().filter(|(_, action)| wanted.contains(action));
            found.map(|(place, _)| place).collect()
        };
        let accepts = places(&[Action::Accept]);
        let starts = places(&[Action::StartBackground, Action::StartBackgroundLate]);
        prop_assert!(accepts.len() <= 1 && starts.len() <= 1);
        if let Some(start) = starts.first() {
            prop_assert!(accepts.first().is_some_and(|accept| accept < start));
        }
        let leaves = places(&[Action::SayLeaving { failed: true }, Action::SayLeaving { failed: false }]);
        prop_assert!(leaves.len() <= 1);
        if let Some(leave) = leaves.first() {
            prop_assert!(places(&[Action::Take, Action::Accept]).iter().all(|place| place < leave));
        }
    }
}
