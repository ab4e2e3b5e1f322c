//! The whole table: every phase × every event, and the walk of time through a stop.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::machine::{GOODBYE, LATE, SAME_SIGNAL, SEVER};
use super::{Action, Event, Hangup, Machine, Outcome, Phase, Rules, StopSignal};
use crate::budget::Budget;

const TERM: Event = Event::Signal(StopSignal::Terminate);
const INT: Event = Event::Signal(StopSignal::Interrupt);
const QUIT: Event = Event::Signal(StopSignal::Quit);

const EVENTS: &[Event] = &[
    Event::Started,
    Event::StartFailed,
    TERM,
    INT,
    QUIT,
    Event::Hangup,
    Event::Stop,
    Event::Failed,
    Event::Empty,
    Event::Time,
    #[cfg(feature = "restart")]
    Event::Restart,
    #[cfg(feature = "restart")]
    Event::HandedOver,
];

fn rules() -> Rules {
    Rules {
        budget: Budget::default(),
        start: Duration::from_secs(60),
        hangup: Hangup::Ignore,
        repeated_term_forces: false,
    }
}

/// A machine brought into a phase on the ordinary way, by SIGTERM, and the time it is there.
fn in_phase(phase: Phase, rules: Rules) -> (Machine, Instant) {
    let mut now = Instant::now();
    let mut machine = Machine::new(rules, now);
    let steps: &[Event] = match phase {
        Phase::Starting => &[],
        Phase::Ready => &[Event::Started],
        Phase::LameDuck => &[Event::Started, TERM],
        Phase::Draining => &[Event::Started, TERM, Event::Time],
        Phase::Finishing => &[Event::Started, TERM, Event::Time, Event::Empty],
        Phase::Closing => &[Event::Started, TERM, Event::Time, Event::Empty, Event::Empty],
        Phase::Stopped => {
            &[Event::Started, TERM, Event::Time, Event::Empty, Event::Empty, Event::Empty]
        }
    };
    for event in steps {
        if *event == Event::Time {
            now += rules.budget.lame_duck;
        }
        let _ = machine.step(*event, now);
    }
    assert_eq!(machine.phase(), phase);
    (machine, now)
}

/// What an event does in a phase: the table of the design, cell by cell. Events come a second after the
/// phase was entered.
fn expected(phase: Phase, event: Event) -> (Phase, Vec<Action>) {
    use Action as A;
    use Phase as P;
    let stay = (phase, vec![]);
    let note = |signal| (phase, vec![A::NoteSignal(signal)]);
    let abandon = (P::Closing, vec![A::AbandonStart, A::Enter(P::Closing)]);
    match event {
        Event::Started => match phase {
            P::Starting => (P::Ready, vec![A::Enter(P::Ready)]),
            P::Ready | P::LameDuck | P::Draining | P::Finishing | P::Closing | P::Stopped => stay,
        },
        Event::StartFailed => match phase {
            P::Starting => abandon,
            P::Ready | P::LameDuck | P::Draining | P::Finishing | P::Closing | P::Stopped => stay,
        },
        Event::Stop => match phase {
            P::Starting => abandon,
            P::Ready => (P::LameDuck, vec![A::Enter(P::LameDuck)]),
            P::LameDuck | P::Draining | P::Finishing | P::Closing | P::Stopped => stay,
        },
        Event::Failed => match phase {
            P::Starting => abandon,
            P::Ready => (P::Draining, vec![A::Enter(P::Draining)]),
            P::LameDuck | P::Draining | P::Finishing | P::Closing | P::Stopped => stay,
        },
        Event::Signal(signal) => match phase {
            P::Starting => abandon,
            P::Ready => match signal {
                StopSignal::Terminate | StopSignal::Quit | StopSignal::Hangup => {
                    (P::LameDuck, vec![A::Enter(P::LameDuck)])
                }
                StopSignal::Interrupt => (P::Draining, vec![A::Enter(P::Draining)]),
            },
            P::LameDuck | P::Draining | P::Finishing | P::Closing => match signal {
                StopSignal::Terminate | StopSignal::Hangup => note(signal),
                StopSignal::Interrupt | StopSignal::Quit => (phase, vec![A::ForceExit(signal)]),
            },
            P::Stopped => stay,
        },
        Event::Hangup => (phase, vec![A::NoteHangup]),
        Event::Empty => match phase {
            P::Starting | P::Ready | P::LameDuck | P::Stopped => stay,
            P::Draining => (P::Finishing, vec![A::Enter(P::Finishing)]),
            P::Finishing => (P::Closing, vec![A::Enter(P::Closing)]),
            P::Closing => (P::Stopped, vec![A::Enter(P::Stopped)]),
        },
        Event::Time => stay,
        #[cfg(feature = "restart")]
        Event::Restart => match phase {
            P::Ready => (phase, vec![A::Restart]),
            P::Starting
            | P::LameDuck
            | P::Draining
            | P::Finishing
            | P::Closing
            | P::Stopped => (phase, vec![A::RefuseRestart]),
        },
        #[cfg(feature = "restart")]
        Event::HandedOver => match phase {
            P::Starting => abandon,
            P::Ready => (P::Draining, vec![A::Enter(P::Draining)]),
            P::LameDuck | P::Draining | P::Finishing | P::Closing | P::Stopped => stay,
        },
    }
}

/// 1. The successor has served since the commit; what it did not get drained here meanwhile.
/// 2. The hand-over is over when the drain's time is: the deadlines count from the commit.
#[cfg(feature = "restart")]
#[test]
fn the_deadlines_of_a_predecessor_count_from_the_commit() {
    let (mut machine, commit) = in_phase(Phase::Ready, rules());
    let now = commit + Duration::from_secs(17);
    assert_eq!(machine.step(Event::HandedOver, commit), vec![Action::Enter(Phase::Draining)]);
    assert_eq!(machine.deadlines().map(|deadlines| deadlines.drain), Some(now));
    assert_eq!(machine.step(Event::Time, now), vec![Action::CutSources]);
}

#[cfg(feature = "restart")]
#[test]
fn hangup_restarts_where_that_was_chosen() {
    let rules = Rules { hangup: Hangup::Restart, ..rules() };
    let (mut machine, now) = in_phase(Phase::Ready, rules);
    assert_eq!(machine.step(Event::Hangup, now), vec![Action::Restart]);
    let (mut machine, now) = in_phase(Phase::Draining, rules);
    assert_eq!(machine.step(Event::Hangup, now), vec![Action::RefuseRestart]);
}

#[test]
fn every_event_in_every_phase_does_what_the_table_says() {
    for phase in Phase::ALL {
        for event in EVENTS.iter().copied() {
            let (mut machine, entered) = in_phase(phase, rules());
            let actions = machine.step(event, entered + Duration::from_secs(1));
            let (expected_phase, expected_actions) = expected(phase, event);
            assert_eq!(machine.phase(), expected_phase, "{phase:?} × {event:?}");
            assert_eq!(actions, expected_actions, "{phase:?} × {event:?}");
        }
    }
}

#[test]
fn time_alone_walks_a_stop_to_its_end_with_every_cut_in_order() {
    let (mut machine, _) = in_phase(Phase::Ready, rules());
    let begun = Instant::now();
    let _ = machine.step(TERM, begun);
    let mut seen = Vec::new();
    while let Some(at) = machine.wake_at() {
        seen.push((at - begun, machine.step(Event::Time, at)));
    }
    let secs = Duration::from_secs;
    assert_eq!(
        seen,
        vec![
            (secs(5) - GOODBYE, vec![Action::SayGoodbye]),
            (secs(5), vec![Action::Enter(Phase::Draining)]),
            (secs(22), vec![Action::CutSources]),
            (secs(22) + LATE, vec![Action::AnswerLate]),
            (secs(22) + SEVER, vec![Action::Sever, Action::Enter(Phase::Finishing)]),
            (secs(26), vec![Action::AbandonWorkers, Action::Enter(Phase::Closing)]),
            (secs(29), vec![Action::AbandonResources, Action::Enter(Phase::Stopped)]),
        ]
    );
    assert_eq!(machine.outcome(), Outcome::Forced);
}

#[test]
fn a_pause_over_every_deadline_catches_up_and_each_phase_is_asked_whether_it_is_empty() {
    let (mut machine, now) = in_phase(Phase::LameDuck, rules());
    let late = now + Duration::from_secs(3600);
    let mut actions = Vec::new();
    let mut phases = Vec::new();
    while machine.phase() != Phase::Stopped {
        actions.extend(machine.step(Event::Time, late));
        phases.push(machine.phase());
    }
    assert_eq!(phases, [Phase::Draining, Phase::Finishing, Phase::Closing, Phase::Stopped]);
    assert_eq!(actions.len(), 10);
    assert_eq!(machine.outcome(), Outcome::Forced);

    let (mut machine, _) = in_phase(Phase::LameDuck, rules());
    for event in [Event::Time, Event::Empty, Event::Empty, Event::Empty] {
        let _ = machine.step(event, late);
    }
    assert_eq!((machine.phase(), machine.outcome()), (Phase::Stopped, Outcome::Clean));
}

/// 1. The budget gives a phase no time, since the service has nothing that would need it.
/// 2. The phase began with its deadline over, and the stop was forced before anybody had asked what was left.
#[test]
fn a_phase_without_time_and_with_nothing_in_it_forces_nothing() {
    let budget = Budget { finish: Duration::ZERO, close: Duration::ZERO, ..Budget::default() };
    let (mut machine, now) = in_phase(Phase::Starting, Rules { budget, ..rules() });
    let _ = machine.step(Event::StartFailed, now);
    assert_eq!(machine.phase(), Phase::Closing);
    let _ = machine.step(Event::Empty, now);
    assert_eq!((machine.phase(), machine.outcome()), (Phase::Stopped, Outcome::Failed));
}

#[test]
fn a_start_that_takes_too_long_fails() {
    let (mut machine, now) = in_phase(Phase::Starting, rules());
    let actions = machine.step(Event::Time, now + Duration::from_secs(60));
    assert_eq!(actions, vec![Action::AbandonStart, Action::Enter(Phase::Closing)]);
    assert_eq!(machine.outcome(), Outcome::Failed);
}

#[test]
fn a_signal_while_starting_ends_clean_within_the_close_budget() {
    let (mut machine, now) = in_phase(Phase::Starting, rules());
    let _ = machine.step(TERM, now);
    assert_eq!(machine.wake_at(), Some(now + Duration::from_secs(3)));
    let _ = machine.step(Event::Empty, now);
    assert_eq!((machine.phase(), machine.outcome()), (Phase::Stopped, Outcome::Clean));
}

#[test]
fn signals_within_a_quarter_second_are_the_same_event() {
    for second in [TERM, INT, QUIT] {
        let (mut machine, _) = in_phase(Phase::Ready, rules());
        let first = Instant::now();
        let _ = machine.step(TERM, first);
        let actions = machine
            .step(second, first + SAME_SIGNAL.checked_sub(Duration::from_millis(1)).unwrap());
        assert!(matches!(actions[..], [Action::NoteSignal(_)]), "{second:?}: {actions:?}");
        assert_eq!(machine.outcome(), Outcome::Clean);
    }
}

#[test]
fn a_later_interrupt_or_quit_forces_with_its_own_code() {
    for (event, signal, code) in [(INT, StopSignal::Interrupt, 130), (QUIT, StopSignal::Quit, 131)]
    {
        let (mut machine, now) = in_phase(Phase::Draining, rules());
        assert_eq!(machine.step(event, now + SAME_SIGNAL), vec![Action::ForceExit(signal)]);
        assert_eq!(machine.outcome().code(), code);
    }
}

#[test]
fn a_repeated_terminate_forces_only_where_the_service_chose_so() {
    let rules = Rules { repeated_term_forces: true, ..rules() };
    let (mut machine, now) = in_phase(Phase::Draining, rules);
    let actions = machine.step(TERM, now + SAME_SIGNAL);
    assert_eq!(actions, vec![Action::ForceExit(StopSignal::Terminate)]);
    assert_eq!(machine.outcome().code(), 143);
}

#[test]
fn the_first_interrupt_after_a_stop_from_code_does_not_force() {
    let (mut machine, now) = in_phase(Phase::Ready, rules());
    let _ = machine.step(Event::Stop, now);
    let later = now + Duration::from_secs(1);
    assert_eq!(machine.step(INT, later), vec![Action::NoteSignal(StopSignal::Interrupt)]);
    assert_eq!(
        machine.step(INT, later + SAME_SIGNAL),
        vec![Action::ForceExit(StopSignal::Interrupt)]
    );
}

#[test]
fn hangup_does_what_was_chosen() {
    let chosen = |hangup| in_phase(Phase::Ready, Rules { hangup, ..rules() });
    let (mut machine, now) = chosen(Hangup::Stop);
    assert_eq!(machine.step(Event::Hangup, now), vec![Action::Enter(Phase::LameDuck)]);
    let again = machine.step(Event::Hangup, now + SAME_SIGNAL);
    assert_eq!(again, vec![Action::NoteSignal(StopSignal::Hangup)]);
    let (mut machine, now) = chosen(Hangup::Reload);
    assert_eq!(machine.step(Event::Hangup, now), vec![Action::Reload]);
    assert_eq!(machine.phase(), Phase::Ready);
}

#[test]
fn a_forced_stop_goes_before_a_failed_one() {
    let (mut machine, now) = in_phase(Phase::Ready, rules());
    let _ = machine.step(Event::Failed, now);
    assert_eq!(machine.outcome(), Outcome::Failed);
    let _ = machine.step(Event::Time, now + Duration::from_secs(17));
    assert_eq!(machine.outcome(), Outcome::Forced);
}

#[test]
fn the_exit_codes_are_the_documented_ones() {
    let codes = [Outcome::Clean, Outcome::Failed, Outcome::Forced, Outcome::Signalled(2)]
        .map(|outcome| outcome.code());
    assert_eq!(codes, [0, 1, 75, 130]);
}

#[test]
fn a_start_may_take_for_ever() {
    let rules = Rules { start: Duration::MAX, ..rules() };
    let now = Instant::now();
    let machine = Machine::new(rules, now);
    assert!(machine.wake_at().is_some_and(|at| at > now + Duration::from_secs(300 * 24 * 3600)));
}

proptest! {
    /// Whatever happens in whatever order: the phase never moves back, every phase but `Ready` has a
    /// deadline, and once the stop began it ends within the budget.
    #[test]
    fn no_order_of_events_moves_back_or_outlives_the_budget(
        events in prop::collection::vec((0usize..EVENTS.len(), 0u64..4_000), 0..40)
    ) {
        let mut now = Instant::now();
        let mut machine = Machine::new(rules(), now);
        for (event, pause) in events {
            now += Duration::from_millis(pause);
            let before = machine.phase();
            let _ = machine.step(EVENTS[event], now);
            prop_assert!(machine.phase() >= before);
            match machine.phase() {
                Phase::Ready | Phase::Stopped => prop_assert_eq!(machine.wake_at(), None),
                Phase::Starting => prop_assert!(machine.wake_at().is_some()),
                Phase::LameDuck | Phase::Draining | Phase::Finishing | Phase::Closing => {
                    let begun = machine.deadlines().expect("a stop has deadlines").begun;
                    let at = machine.wake_at().expect("a stop has a deadline");
                    prop_assert!(at <= begun + Budget::default().total());
                }
            }
        }
    }
}
