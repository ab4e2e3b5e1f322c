//! The whole table: every state × every event; and the walk of time.

use proptest::prelude::*;

use super::*;

const START: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(17);
const SECOND: Duration = Duration::from_secs(1);

/// The states, as a name for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Starting,
    Sweeping,
    Committed,
    Serving,
    Broken,
    Asked,
    Terminated,
    Killed,
    Over,
}

const ALL: [At; 9] = [
    At::Starting,
    At::Sweeping,
    At::Committed,
    At::Serving,
    At::Broken,
    At::Asked,
    At::Terminated,
    At::Killed,
    At::Over,
];

fn at(giving: &Giving) -> At {
    match giving.state {
        State::Starting => At::Starting,
        State::Sweeping => At::Sweeping,
        State::Committed => At::Committed,
        State::Serving => At::Serving,
        State::Ending(_, Stage::Broken) => At::Broken,
        State::Ending(_, Stage::Asked) => At::Asked,
        State::Ending(_, Stage::Terminated) => At::Terminated,
        State::Ending(_, Stage::Killed) => At::Killed,
        State::Over => At::Over,
    }
}

const SWEPT: Look = Look { waiting: false, swept: true, background_at_rest: false, at_rest: false };
const AT_REST: Look = Look { waiting: false, swept: true, background_at_rest: true, at_rest: true };
const WAITING: Look =
    Look { waiting: true, swept: true, background_at_rest: false, at_rest: false };

/// A hand-over that has come so far, and the time it is there.
fn so_far(state: At) -> (Giving, Instant) {
    let mut now = Instant::now();
    let mut giving = Giving::new(START, DRAIN, now);
    let ready = Event::Ready(VERSION);
    let events: Vec<Event> = match state {
        At::Starting => vec![],
        At::Sweeping => vec![ready],
        At::Committed => vec![ready, Event::Look(SWEPT)],
        At::Serving => vec![ready, Event::Look(SWEPT), Event::Serving],
        At::Broken => vec![Event::Broken(Why::Closed)],
        At::Asked => vec![Event::Stop],
        At::Terminated | At::Killed => vec![Event::Stop, Event::Time],
        At::Over => vec![Event::Exited("exited with code 1".to_owned())],
    };
    for event in events {
        if event == Event::Time {
            now += ANSWER;
        }
        let _ = giving.step(event, now);
    }
    if state == At::Killed {
        now += END;
        let _ = giving.step(Event::Time, now);
    }
    assert_eq!(at(&giving), state);
    (giving, now)
}

fn exited() -> Why {
    Why::Exited("exited with code 1".to_owned())
}

/// What an event does: the table, cell by cell.
fn expected(state: At, event: &Event) -> (At, Vec<Action>) {
    use Action as A;
    let stay = (state, vec![]);
    let failed =
        |dead, why: Why| (At::Over, vec![A::Resume, A::TakeBack { dead }, A::Finish(Err(why))]);
    let done = (At::Over, vec![A::Background, A::Done, A::Finish(Ok(()))]);
    // Why it was being ended, in the ways of `so_far`.
    let ending = if state == At::Broken { Why::Closed } else { Why::Stop };
    match (event, state) {
        (_, At::Over) => stay,
        (Event::Ready(version), At::Starting) if *version == VERSION => {
            (At::Sweeping, vec![A::PassOn])
        }
        (Event::Ready(_), At::Starting) => (At::Committed, vec![A::Commit]),
        (Event::Ready(_) | Event::Taken | Event::Time, _) => stay,
        (Event::Serving, At::Committed) => (At::Serving, vec![]),
        (Event::Serving, _) => stay,
        (Event::Leaving { failed: why }, At::Starting | At::Sweeping | At::Committed) => {
            failed(false, Why::Leaving { failed: *why })
        }
        (Event::Leaving { failed: true }, At::Serving) => {
            failed(false, Why::Leaving { failed: true })
        }
        (Event::Leaving { failed: false }, At::Serving) => done,
        (Event::Leaving { .. }, At::Broken | At::Asked | At::Terminated | At::Killed) => {
            failed(false, ending)
        }
        (Event::Broken(_), At::Starting | At::Sweeping | At::Committed | At::Serving) => {
            (At::Broken, vec![])
        }
        (Event::Broken(_), _) => stay,
        (Event::Exited(_), At::Starting | At::Sweeping | At::Committed | At::Serving) => {
            failed(true, exited())
        }
        (Event::Exited(_), At::Broken) => failed(true, exited()),
        (Event::Exited(_), At::Asked | At::Terminated | At::Killed) => failed(true, ending),
        (Event::Stop, At::Starting | At::Sweeping) => (At::Asked, vec![A::Abort]),
        (Event::Stop, At::Committed | At::Serving) => done,
        (Event::Stop, _) => stay,
        (Event::Look(look), At::Sweeping) if look.waiting => (state, vec![A::Wave]),
        (Event::Look(look), At::Committed | At::Serving) if look.waiting => (state, vec![A::Wave]),
        (Event::Look(look), At::Sweeping) if look.swept => (At::Committed, vec![A::Commit]),
        (Event::Look(look), At::Committed) if look.background_at_rest => {
            (state, vec![A::Background])
        }
        (Event::Look(look), At::Serving) if look.at_rest => done,
        (Event::Look(_), _) => stay,
    }
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let events = [
        Event::Ready(VERSION),
        Event::Ready(VERSION + 1),
        Event::Taken,
        Event::Serving,
        Event::Leaving { failed: false },
        Event::Leaving { failed: true },
        Event::Broken(Why::Closed),
        Event::Exited("exited with code 1".to_owned()),
        Event::Stop,
        Event::Look(Look::default()),
        Event::Look(WAITING),
        Event::Look(SWEPT),
        Event::Look(AT_REST),
        Event::Time,
    ];
    for state in ALL {
        for event in &events {
            let (mut giving, now) = so_far(state);
            let actions = giving.step(event.clone(), now);
            assert_eq!((at(&giving), actions), expected(state, event), "{state:?} × {event:?}");
        }
    }
}

/// Everything that time alone does from a state on: how long after, and what.
fn walk(state: At) -> Vec<(Duration, Vec<Action>)> {
    let (mut giving, began) = so_far(state);
    let mut seen = Vec::new();
    while let Some(at) = giving.wake_at() {
        let actions = giving.step(Event::Time, at);
        seen.push((at - began, actions));
        assert!(seen.len() < 20, "{seen:?}");
    }
    seen
}

#[test]
fn time_alone_ends_a_successor_that_says_nothing() {
    let not_ready = START + SPAWN;
    assert_eq!(
        walk(At::Starting),
        [
            (not_ready, vec![Action::Abort]),
            (not_ready + ANSWER, vec![Action::Terminate]),
            (not_ready + ANSWER + END, vec![Action::Kill]),
            (
                not_ready + ANSWER + END + GONE,
                vec![
                    Action::Resume,
                    Action::TakeBack { dead: false },
                    Action::Finish(Err(Why::NotReady(START))),
                ]
            ),
        ]
    );
}

#[test]
fn time_alone_commits_what_is_never_swept_and_gives_up_a_successor_that_does_not_serve() {
    let walked = walk(At::Sweeping);
    assert_eq!(walked[0], (SWEEP, vec![Action::Commit]));
    assert_eq!(walked[1], (SWEEP + SERVE, vec![Action::Abort]));
    let (_, last) = walked.last().expect("it ends");
    assert_eq!(last.last(), Some(&Action::Finish(Err(Why::Silent("serves", SERVE)))));
}

#[test]
fn the_drain_budget_counts_from_the_commit_and_ends_the_hand_over() {
    let done = vec![Action::Background, Action::Done, Action::Finish(Ok(()))];
    assert_eq!(walk(At::Serving), [(DRAIN, done)]);
}

#[test]
fn a_wave_that_is_not_taken_ends_the_successor() {
    for state in [At::Sweeping, At::Committed, At::Serving] {
        let (mut giving, now) = so_far(state);
        assert_eq!(giving.step(Event::Look(WAITING), now), [Action::Wave]);
        assert_eq!(giving.step(Event::Look(WAITING), now), [], "one wave at a time");
        assert!(!giving.step(Event::Look(AT_REST), now + SECOND).contains(&Action::Done));
        let actions = giving.step(Event::Time, now + TAKE);
        assert_eq!(actions, [Action::Abort], "{state:?}");
    }
}

#[test]
fn the_next_wave_goes_out_once_the_last_one_was_taken() {
    let (mut giving, now) = so_far(At::Sweeping);
    assert_eq!(giving.step(Event::Look(WAITING), now), [Action::Wave]);
    assert_eq!(giving.step(Event::Taken, now), []);
    assert_eq!(giving.step(Event::Look(WAITING), now), [Action::Wave]);
    assert_eq!(giving.step(Event::Look(SWEPT), now), []);
    assert_eq!(giving.step(Event::Taken, now), [Action::Commit]);
}

#[test]
fn rest_that_was_seen_before_the_pause_is_none() {
    let (mut giving, now) = so_far(At::Sweeping);
    assert_eq!(giving.step(Event::Look(AT_REST), now), [Action::Commit]);
    assert_eq!(giving.step(Event::Serving, now), []);
    assert_eq!(giving.committed(), Some(now));
    let done = [Action::Background, Action::Done, Action::Finish(Ok(()))];
    assert_eq!(giving.step(Event::Look(AT_REST), now), done);
}

#[test]
fn a_failure_is_said_in_words() {
    let said = |why: Why| why.to_string();
    assert_eq!(
        said(Why::NotReady(START)),
        "was not ready within 1 min 0 s; look at its log, or raise `start_within`"
    );
    assert_eq!(said(exited()), "exited with code 1; look at its log");
    assert_eq!(said(Why::Silent("serves", SERVE)), "did not say within 5 s that it serves");
    assert_eq!(said(Why::Leaving { failed: false }), "was told to stop");
}

fn any_event() -> impl Strategy<Value = Event> {
    let look = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(waiting, swept, background_at_rest, at_rest)| {
            Event::Look(Look { waiting, swept, background_at_rest, at_rest })
        },
    );
    prop_oneof![
        (0..3u32).prop_map(Event::Ready),
        Just(Event::Taken),
        Just(Event::Serving),
        any::<bool>().prop_map(|failed| Event::Leaving { failed }),
        Just(Event::Broken(Why::Closed)),
        Just(Event::Exited("ended".to_owned())),
        Just(Event::Stop),
        look,
        Just(Event::Time),
    ]
}

proptest! {
    /// Whatever happens in whatever order: it has a deadline until it is over, it ends once, what was committed is
    /// done or resumed, and nothing happens afterwards.
    #[test]
    fn it_ends_once_and_in_time(events in prop::collection::vec((any_event(), 0u64..3_000), 0..40)) {
        let began = Instant::now();
        let mut now = began;
        let mut giving = Giving::new(START, DRAIN, began);
        let mut actions = Vec::new();
        for (event, pause) in events {
            now += Duration::from_millis(pause);
            actions.extend(giving.step(event, now));
        }
        while let Some(at) = giving.wake_at() {
            now = now.max(at);
            actions.extend(giving.step(Event::Time, now));
        }
        let finished = actions.iter().filter(|action| matches!(action, Action::Finish(_))).count();
        prop_assert_eq!(finished, 1);
        let is_finish = matches!(actions.last(), Some(Action::Finish(_)));
        prop_assert!(is_finish, "the last action");
        if actions.contains(&Action::Commit) {
            prop_assert!(actions.contains(&Action::Done) != actions.contains(&Action::Resume));
        }
        prop_assert!(actions.iter().filter(|action| **action == Action::Background).count() <= 1);
        prop_assert!(actions.iter().filter(|action| **action == Action::Commit).count() <= 1);
        prop_assert!(giving.step(Event::Stop, now).is_empty());
    }
}
