use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Asks once at each row: when (ms), the phase, by when it is over (ms), the runtime's count; and what is due, as it
/// goes out.
fn follow(schedule: &mut Schedule, began: Instant, rows: &[(u64, Phase, Option<u64>, u64, &str)]) {
    for (at, phase, over_by, pulse, right) in rows {
        let over_by = over_by.map(|at| began + ms(at));
        let seen = Seen { phase: *phase, over_by, pulse: *pulse };
        let due = schedule.due(began + ms(*at), &seen);
        assert_eq!(lines(&due), *right, "at {at} ms");
    }
}

fn lines(due: &[Message]) -> String {
    due.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ").replace('\n', " ")
}

#[test]
fn a_whole_life_is_told_once_each() {
    let began = Instant::now();
    let mut schedule = Schedule::new(None, began);
    follow(
        &mut schedule,
        began,
        &[
            (0, Phase::Starting, Some(60_000), 0, ""),
            (10, Phase::Ready, None, 0, "READY=1 STATUS=ready"),
            (20, Phase::Ready, None, 0, ""),
            (
                100_000,
                Phase::LameDuck,
                Some(129_200),
                0,
                "STOPPING=1 STATUS=lame duck: still serving, new work should go elsewhere \
                 EXTEND_TIMEOUT_USEC=10000000",
            ),
            (104_999, Phase::LameDuck, Some(129_200), 0, ""),
            (
                105_000,
                Phase::Draining,
                Some(129_200),
                0,
                "STATUS=draining: requests in flight end EXTEND_TIMEOUT_USEC=10000000",
            ),
            (
                106_000,
                Phase::Finishing,
                Some(129_200),
                0,
                "STATUS=finishing: shields and workers end",
            ),
            (107_000, Phase::Closing, Some(129_200), 0, "STATUS=closing resources"),
            (107_001, Phase::Stopped, Some(129_200), 0, "STATUS=stopped"),
        ],
    );
}

#[test]
fn a_stop_that_is_over_at_once_is_told_all_the_same() {
    let began = Instant::now();
    let mut schedule = Schedule::new(None, began);
    let row = (0, Phase::Stopped, Some(0), 0, "STOPPING=1 STATUS=stopped");
    follow(&mut schedule, began, &[row]);
}

#[test]
fn no_more_time_is_asked_for_than_there_is() {
    let began = Instant::now();
    let mut schedule = Schedule::new(None, began);
    follow(
        &mut schedule,
        began,
        &[
            (999, Phase::Starting, Some(12_000), 0, ""),
            (1_000, Phase::Starting, Some(12_000), 0, "EXTEND_TIMEOUT_USEC=10000000"),
            (5_999, Phase::Starting, Some(12_000), 0, ""),
            (6_000, Phase::Starting, Some(12_000), 0, "EXTEND_TIMEOUT_USEC=6000000"),
            (11_000, Phase::Starting, Some(12_000), 0, "EXTEND_TIMEOUT_USEC=1000000"),
            (16_000, Phase::Starting, Some(12_000), 0, ""),
        ],
    );
}

#[test]
fn a_sign_of_life_is_given_twice_in_its_time_and_only_if_the_runtime_answered_since() {
    let began = Instant::now();
    let mut schedule = Schedule::new(Some(ms(800)), began);
    follow(
        &mut schedule,
        began,
        &[
            (0, Phase::Ready, None, 1, "READY=1 STATUS=ready WATCHDOG=1"),
            (399, Phase::Ready, None, 2, ""),
            (400, Phase::Ready, None, 2, "WATCHDOG=1"),
            (800, Phase::Ready, None, 2, ""),
            // It is asked again before the manager's time is over.
            (899, Phase::Ready, None, 3, ""),
            (900, Phase::Ready, None, 3, "WATCHDOG=1"),
            (1_300, Phase::Ready, None, 3, ""),
            (5_000, Phase::Ready, None, 3, ""),
        ],
    );
}

#[test]
fn it_wants_to_be_asked_when_something_is_due_and_not_otherwise() {
    let began = Instant::now();
    let seen = |phase, over_by: Option<u64>| Seen {
        phase,
        over_by: over_by.map(|at| began + ms(at)),
        pulse: 0,
    };
    let mut plain = Schedule::new(None, began);
    assert_eq!(plain.next(&seen(Phase::Starting, Some(60_000))), Some(began + PATIENCE));
    assert_eq!(plain.next(&seen(Phase::Ready, None)), None);
    let stop = seen(Phase::Draining, Some(29_000));
    drop(plain.due(began, &stop));
    assert_eq!(plain.next(&stop), Some(began + REPEAT));

    let mut watched = Schedule::new(Some(ms(800)), began);
    let ready = Seen { pulse: 1, ..seen(Phase::Ready, None) };
    drop(watched.due(began, &ready));
    assert_eq!(watched.next(&ready), Some(began + ms(400)));
    watched.hold_back();
    assert_eq!(watched.next(&ready), None);
}

#[test]
fn a_reload_is_told_from_the_first_to_the_last_of_several() {
    let began = Instant::now();
    let mut schedule = Schedule::new(None, began);
    follow(&mut schedule, began, &[(0, Phase::Ready, None, 0, "READY=1 STATUS=ready")]);
    let reloading = "RELOADING=1 MONOTONIC_USEC=7000 STATUS=reloading";
    assert_eq!(lines(&schedule.reloading(ms(7))), reloading);
    assert_eq!(lines(&schedule.reloading(ms(7))), reloading);
    assert_eq!(lines(&schedule.reloaded()), "");
    assert_eq!(lines(&schedule.reloaded()), "READY=1 STATUS=ready");
}

#[test]
fn a_reload_that_a_stop_overtakes_never_says_ready() {
    let began = Instant::now();
    let mut schedule = Schedule::new(None, began);
    follow(&mut schedule, began, &[(0, Phase::Ready, None, 0, "READY=1 STATUS=ready")]);
    drop(schedule.reloading(ms(7)));
    let stop = (1, Phase::Stopped, Some(1), 0, "STOPPING=1 STATUS=stopped");
    follow(&mut schedule, began, &[stop]);
    assert_eq!(lines(&schedule.reloaded()), "");
    assert_eq!(lines(&schedule.reloading(ms(9))), "");
}

#[test]
fn of_a_predecessor_and_its_successor_one_speaks_at_a_time() {
    let began = Instant::now();
    let ready = (0, Phase::Ready, None, 1, "READY=1 STATUS=ready WATCHDOG=1");
    let mut old = Schedule::new(Some(ms(800)), began);
    let mut new = Schedule::new(Some(ms(800)), began);
    follow(&mut old, began, &[ready]);
    drop(old.reloading(ms(7)));
    new.hold_back();
    follow(&mut new, began, &[(0, Phase::Ready, None, 1, "")]);

    assert_eq!(lines(&old.handed_over(12)), "READY=1 STATUS=ready MAINPID=12");
    assert_eq!(lines(&new.take_over(12)), "MAINPID=12");
    follow(&mut new, began, &[ready]);
    let stop = (900, Phase::Draining, Some(2_000), 2, "");
    follow(&mut old, began, &[stop]);
    assert_eq!(lines(&old.reloaded()), "");
}

#[test]
fn a_predecessor_whose_successor_died_is_the_service_again() {
    let began = Instant::now();
    let mut schedule = Schedule::new(None, began);
    let ready = (0, Phase::Ready, None, 1, "READY=1 STATUS=ready");
    follow(&mut schedule, began, &[ready]);
    drop(schedule.handed_over(12));
    assert_eq!(lines(&schedule.take_over(34)), "MAINPID=34");
    follow(&mut schedule, began, &[ready]);
}
