use proptest::prelude::*;

use super::*;

proptest! {
    /// A name may hold parentheses, spaces and line ends: what the kernel writes around it is found all the same.
    #[test]
    fn a_line_of_stat_is_read_whatever_the_name(name in "[^\0]{0,15}", state in "[RSDTtI]", user in 0u64..1 << 40, kernel in 0u64..1 << 40) {
        let line = format!("42 ({name}) {state} 1 2 3 4 5 6 7 8 9 10 {user} {kernel} 0 0 20 0 1 0 99\n");
        let stat = parse_stat(&line).expect("a whole line");
        prop_assert_eq!(stat, Stat { name, state: state.chars().next().unwrap(), ticks: user + kernel });
    }

    #[test]
    fn no_text_at_all_makes_the_reading_fail(text in any::<String>()) {
        let _ = parse_stat(&text);
        let _ = parse_wchan(&text);
    }

    #[test]
    fn half_a_line_of_stat_is_none(cut in 0usize..40) {
        let line = "42 (shop-worker) S 1 2 3 4 5 6 7 8 9 10 11";
        prop_assert_eq!(parse_stat(&line[..cut.min(line.len())]), None);
    }

    #[test]
    fn whatever_a_thread_does_there_are_words_for_it(state in any::<char>(), used in 0u64..1 << 40, since in 0u64..1 << 40) {
        let text = describe(state, None, Duration::from_millis(used), Duration::from_millis(since));
        prop_assert!(text.ends_with("of processor time since the signal"));
    }
}

#[test]
fn a_wait_channel_of_zero_is_none() {
    assert_eq!(parse_wchan("0"), None);
    assert_eq!(parse_wchan(""), None);
    assert_eq!(parse_wchan("hrtimer_nanosleep"), Some("hrtimer_nanosleep"));
}

#[test]
fn busy_and_asleep_are_told_apart() {
    let (short, long) = (Duration::from_millis(10), Duration::from_secs(5));
    assert_eq!(describe('R', None, long, long), "busy, 5 s of processor time since the signal");
    assert_eq!(
        describe('S', Some("hrtimer_nanosleep"), short, long),
        "asleep (hrtimer_nanosleep), 10 ms of processor time since the signal"
    );
    assert!(describe('R', None, short, long).starts_with("running,"));
    assert!(describe('D', Some("io_schedule"), short, long).contains("(io_schedule)"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_kernel_tells_an_ordinary_user_about_this_thread() {
    let me = crate::threads::this_thread();
    assert!(threads().contains(&me));
    let known = ask(me).expect("this thread runs");
    assert_eq!(known.state, 'R');
    assert!(ask(i32::MAX).is_none());
}
