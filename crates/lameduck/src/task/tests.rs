//! The three kinds of tasks on the paused clock: real tasks, no process around them.

use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use tokio::time::{Instant, sleep};

use super::{
    Backoff, Kind, OnFailure, Queue, Task, TaskPart, Worker, channel, consumer, timer, worker,
};
use crate::lifecycle::{Inbox, Lifecycle, Message, Shared};
use crate::part::Part;
use crate::report::PartState;

const SECOND: Duration = Duration::from_secs(1);

/// A service of one task.
struct One {
    task: Arc<Task>,
    part: Arc<TaskPart>,
    inbox: Inbox,
}

impl One {
    fn new(kind: Kind, make: impl FnOnce(&Arc<Task>) -> TaskPart) -> One {
        let (shared, inbox) = Shared::of_test();
        let task = Task::new("one", kind, Location::caller(), &shared);
        One { part: Arc::new(make(&task)), task, inbox }
    }

    fn timer<R, F>(period: Duration, run: R) -> One
    where
        R: FnMut() -> F + Send + 'static,
        F: Future<Output: super::Outcome> + Send + 'static,
    {
        One::new(Kind::Timer, |task| TaskPart::new(task, timer(Arc::clone(task), period, run)))
    }

    fn worker<W, F>(work: W) -> (One, Worker<u32>)
    where
        W: FnMut(Queue<u32>) -> F + Send + 'static,
        F: Future<Output: super::Outcome> + Send + 'static,
    {
        let mut handle = None;
        let one = One::new(Kind::Worker, |task| {
            let (worker_of, home) = channel(8, task);
            let part = TaskPart::new(task, worker(Arc::clone(task), home, work));
            let id = task.shared.registry().add(Arc::new(TaskPart::new(task, async { Ok(()) })));
            handle = Some(worker_of(id));
            part
        });
        (one, handle.expect("made"))
    }

    fn consumer<S, H, F>(messages: S, handle: H) -> One
    where
        S: futures_util::Stream<Item = u32> + Send + 'static,
        H: FnMut(u32) -> F + Send + 'static,
        F: Future<Output: super::Outcome> + Send + 'static,
    {
        One::new(Kind::Consumer, |task| {
            TaskPart::new(task, consumer(Arc::clone(task), messages, handle))
        })
    }

    /// Waits for its end: the state.
    async fn end(&self) -> PartState {
        while !self.part.is_done() {
            sleep(Duration::from_millis(1)).await;
        }
        self.part.report().expect("a line").state
    }

    /// What brings the service down.
    fn failures(&self) -> Vec<String> {
        let messages = self.inbox.take().into_iter();
        messages
            .filter_map(|message| match message {
                Message::Failed { message, .. } => Some(message),
                Message::Started
                | Message::StartFailed(_)
                | Message::SetupOver
                | Message::Reloaded
                | Message::Stop { .. }
                | Message::Say(..)
                | Message::Check => None,
                #[cfg(feature = "restart")]
                Message::Restart | Message::HandOver(_) => None,
            })
            .collect()
    }
}

/// A log of when things happened, in milliseconds since it was made.
#[derive(Clone)]
struct Log(Arc<Mutex<Vec<(&'static str, u128)>>>, Instant);

impl Log {
    fn new() -> Log {
        Log(Arc::default(), Instant::now())
    }

    fn say(&self, what: &'static str) {
        self.0.lock().unwrap().push((what, self.1.elapsed().as_millis()));
    }

    fn said(&self) -> Vec<(&'static str, u128)> {
        self.0.lock().unwrap().clone()
    }
}

async fn panics(message: &'static str) {
    panic!("{message}")
}

#[tokio::test(start_paused = true)]
async fn a_timer_runs_at_once_and_once_a_period_and_skips_what_it_missed() {
    let log = Log::new();
    let (said, count) = (log.clone(), AtomicU32::new(0));
    let one = One::timer(SECOND, move || {
        said.say("run");
        let long = count.fetch_add(1, Ordering::Relaxed) == 1;
        async move { sleep(if long { 2500 } else { 10 } * Duration::from_millis(1)).await }
    });
    one.part.start();
    sleep(Duration::from_millis(5500)).await;
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
    // The second run lasts from 1 s to 3.5 s: the ticks at 2 and 3 s are not made up for.
    let times: Vec<u128> = log.said().iter().map(|(_, at)| at / 1000).collect();
    assert_eq!(times, [0, 1, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_progress_ends_and_none_begins_after_the_timer_is_told() {
    let log = Log::new();
    let said = log.clone();
    let one = One::timer(Duration::from_millis(100), move || {
        let said = said.clone();
        async move {
            said.say("begun");
            sleep(SECOND).await;
            said.say("ended");
        }
    });
    one.part.start();
    sleep(Duration::from_millis(1500)).await;
    one.part.stop();
    assert!(!one.part.is_done());
    assert_eq!(one.end().await, PartState::Done);
    let said: Vec<&str> = log.said().iter().map(|(what, _)| *what).collect();
    assert_eq!(said, ["begun", "ended", "begun", "ended"]);
    assert_eq!(one.failures(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_told_before_its_first_tick_never_runs() {
    let one = One::timer(SECOND, || panics("told before"));
    one.part.start();
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_restarted_runs_again_after_a_growing_pause() {
    let log = Log::new();
    let said = log.clone();
    let one = One::timer(3600 * SECOND, move || {
        said.say("run");
        let well = said.said().len() == 4;
        async move { if well { Ok(()) } else { Err("no bank") } }
    });
    one.task.set(|settings| {
        settings.on_failure = OnFailure::Restart(Backoff { first: SECOND, most: 60 * SECOND });
    });
    one.part.start();
    sleep(60 * SECOND).await;
    let times: Vec<u128> = log.said().iter().map(|(_, at)| at / 1000).collect();
    assert_eq!(times, [0, 1, 3, 7], "after 1, 2 and 4 s, and then by its period");
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
    let detail = one.part.report().and_then(|part| part.detail);
    assert_eq!(detail.as_deref(), Some("failed 3 times, the last time: no bank"));
    assert!(!one.part.failed());
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_does_to_a_timer_that_panics() {
    let run = |on_failure| {
        let one = One::timer(SECOND, || panics("no day"));
        one.task.set(|settings| settings.on_failure = on_failure);
        one.part.start();
        one
    };
    let stops = run(OnFailure::Stop);
    assert_eq!(stops.end().await, PartState::Panicked);
    assert_eq!(stops.failures(), ["panicked: no day"]);
    assert!(stops.part.failed());
    for other in [OnFailure::Ignore, OnFailure::restart()] {
        let goes_on = run(other);
        sleep(3 * SECOND).await;
        assert!(!goes_on.part.is_done());
        assert_eq!(goes_on.failures(), [""; 0]);
        assert!(goes_on.part.tasks()[0].failures >= 2, "{other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_gets_what_was_handed_over_before_its_end_and_nothing_after() {
    let log = Log::new();
    let said = log.clone();
    let (one, handle) = One::worker(move |mut queue| {
        let said = said.clone();
        async move {
            while queue.recv().await.is_some() {
                said.say("item");
            }
        }
    });
    handle.send(1).await.unwrap();
    handle.send(2).await.unwrap();
    one.part.start();
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
    assert_eq!(log.said().len(), 2);
    // A handle that is forgotten somewhere holds nothing open, and is told.
    assert_eq!(handle.send(3).await.map_err(|closed| closed.0), Err(3));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_worker_keeps_its_queue_and_an_ended_one_gives_it_up() {
    let log = Log::new();
    let said = log.clone();
    let (one, handle) = One::worker(move |mut queue| {
        let said = said.clone();
        async move {
            while let Some(item) = queue.recv().await {
                said.say("item");
                assert_ne!(item, 2, "a letter without an address");
            }
        }
    });
    one.task.set(|settings| settings.on_failure = OnFailure::restart());
    for item in 1..=3 {
        handle.send(item).await.unwrap();
    }
    one.part.start();
    sleep(10 * SECOND).await;
    let times: Vec<u128> = log.said().iter().map(|(_, at)| at / 1000).collect();
    assert_eq!(times, [0, 0, 1]);
    handle.send(4).await.unwrap();
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
    assert_eq!(log.said().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_failure_is_ignored_ends_and_its_senders_are_told() {
    let (one, handle) = One::worker(|mut queue| async move {
        queue.recv().await;
        Err::<(), _>("no mail server")
    });
    one.task.set(|settings| settings.on_failure = OnFailure::Ignore);
    one.part.start();
    handle.send(1).await.unwrap();
    assert_eq!(one.end().await, PartState::Failed);
    assert!(!one.part.failed(), "nothing to the service");
    assert_eq!(one.failures(), [""; 0]);
    assert!(handle.send(2).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_gave_its_queue_away_is_not_restarted() {
    let (one, _handle) = One::worker(|queue| async move {
        std::mem::forget(queue);
        Err::<(), _>("lost")
    });
    one.task.set(|settings| settings.on_failure = OnFailure::restart());
    one.part.start();
    assert_eq!(one.end().await, PartState::Failed);
    assert_eq!(one.failures(), ["cannot go on: it gave its queue away"]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_handles_no_more_at_once_than_it_may() {
    for concurrency in [1, 3] {
        let now = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let seen = Arc::clone(&now);
        let one = One::consumer(stream::iter(0..10), move |_| {
            let seen = Arc::clone(&seen);
            async move {
                let count = seen.0.fetch_add(1, Ordering::Relaxed) + 1;
                seen.1.fetch_max(count, Ordering::Relaxed);
                sleep(SECOND).await;
                seen.0.fetch_sub(1, Ordering::Relaxed);
            }
        });
        one.task.set(|settings| settings.concurrency = concurrency);
        let began = Instant::now();
        one.part.start();
        assert_eq!(one.end().await, PartState::Done, "the end of the stream is its end");
        assert_eq!(now.1.load(Ordering::Relaxed), u32::try_from(concurrency).unwrap());
        let seconds = began.elapsed().as_millis().div_ceil(1005);
        assert_eq!(seconds, 10_usize.div_ceil(concurrency) as u128);
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_told_drops_its_stream_at_once_and_ends_what_it_holds() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<u32>(8);
    let messages =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let log = Log::new();
    let said = log.clone();
    let one = One::consumer(messages, move |_| {
        let said = said.clone();
        async move {
            said.say("took");
            sleep(SECOND).await;
            said.say("handled");
        }
    });
    one.part.start();
    for number in 0..5 {
        sender.send(number).await.unwrap();
    }
    sleep(Duration::from_millis(500)).await;
    one.part.stop();
    sleep(Duration::from_millis(10)).await;
    assert!(sender.is_closed(), "whoever sends is told");
    assert!(!one.part.is_done());
    assert_eq!(one.end().await, PartState::Done);
    assert_eq!(log.said().iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["took", "handled"]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_by_its_policy_stops_at_a_failed_message_or_goes_on() {
    let run = |on_failure| {
        let log = Log::new();
        let said = log.clone();
        let one = One::consumer(stream::iter(0..4), move |number| {
            let said = said.clone();
            async move {
                said.say("took");
                assert_ne!(number, 1, "an order from nobody");
            }
        });
        one.task.set(|settings| settings.on_failure = on_failure);
        one.part.start();
        (one, log)
    };
    let (stops, log) = run(OnFailure::Stop);
    assert_eq!(stops.end().await, PartState::Panicked);
    assert_eq!(log.said().len(), 2);
    let (ignores, log) = run(OnFailure::Ignore);
    assert_eq!(ignores.end().await, PartState::Done);
    assert_eq!(log.said().len(), 4);
    let (pauses, log) = run(OnFailure::restart());
    assert_eq!(pauses.end().await, PartState::Done);
    let times: Vec<u128> = log.said().iter().map(|(_, at)| at / 1000).collect();
    assert_eq!(times, [0, 0, 1, 1], "a pause of 1 s behind the failed one");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_panics_ends_the_consumer_and_is_not_asked_again() {
    let mut asked = 0;
    let messages = stream::poll_fn(move |_| -> std::task::Poll<Option<u32>> {
        asked += 1;
        assert_eq!(asked, 1, "asked again");
        panic!("a broken frame")
    });
    let one = One::consumer(messages, |_| async {});
    one.part.start();
    assert_eq!(one.end().await, PartState::Panicked);
    assert_eq!(one.failures(), ["panicked: a broken frame"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_task_says_of_itself_is_shown_and_where_it_stopped_is_reported() {
    let one = One::timer(SECOND, || async {
        let life = Lifecycle::try_current().expect("a task has a handle");
        life.progress(7, 9);
        life.note("page 7");
        life.beat();
    });
    one.part.start();
    sleep(Duration::from_millis(10)).await;
    let view = one.part.tasks().remove(0);
    assert_eq!(view.progress.map(|progress| progress.to_string()).as_deref(), Some("7 of 9"));
    assert_eq!((view.note.as_deref(), view.busy), (Some("page 7"), None));
    one.part.stop();
    one.end().await;
    let detail = one.part.report().and_then(|part| part.detail);
    assert_eq!(detail.as_deref(), Some("7 of 9, page 7"));
}

#[tokio::test(start_paused = true)]
async fn a_task_left_behind_is_aborted_and_says_what_it_was_doing() {
    let (one, handle) = One::worker(|mut queue| async move {
        queue.recv().await;
        std::future::pending::<()>().await;
    });
    one.part.start();
    handle.send(1).await.unwrap();
    sleep(SECOND).await;
    one.part.stop();
    let stuck = one.part.abandon().remove(0);
    assert!(stuck.doing.starts_with("has not finished its queue, at this for "), "{stuck}");
    assert_eq!(one.part.report().map(|part| part.state), Some(PartState::Abandoned));
    sleep(SECOND).await;
    assert!(handle.send(2).await.is_err(), "its queue is gone with it");
}

#[cfg(feature = "restart")]
#[tokio::test(start_paused = true)]
async fn a_paused_timer_ends_its_run_begins_none_and_goes_on_in_its_rhythm() {
    let log = Log::new();
    let said = log.clone();
    let one = One::timer(SECOND, move || {
        let said = said.clone();
        async move {
            said.say("begin");
            sleep(SECOND / 2).await;
            said.say("end");
            Ok::<_, crate::Error>(())
        }
    });
    assert!(one.part.is_at_rest(), "it has not begun");
    one.part.start();
    sleep(SECOND / 4).await;
    assert!(!one.part.is_at_rest(), "it is not paused");
    one.part.pause();
    assert!(!one.part.is_at_rest(), "a run is under way");
    sleep(SECOND / 2).await;
    assert!(one.part.is_at_rest());
    assert!(one.inbox.take().iter().any(|message| matches!(message, Message::Check)));
    sleep(3 * SECOND).await;
    assert_eq!(log.said(), [("begin", 0), ("end", 500)]);
    one.part.resume();
    assert!(!one.part.is_at_rest());
    sleep(SECOND / 2).await;
    assert_eq!(log.said()[2..], [("begin", 4000)], "missed ticks are skipped");
    one.part.pause();
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
}

#[cfg(feature = "restart")]
#[tokio::test(start_paused = true)]
async fn a_paused_consumer_ends_what_it_holds_and_asks_its_stream_for_nothing_until_it_goes_on() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let messages = stream::poll_fn(move |cx| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        cx.waker().wake_by_ref();
        std::task::Poll::Ready(Some(number))
    });
    let log = Log::new();
    let said = log.clone();
    let one = One::consumer(messages, move |_| {
        let said = said.clone();
        async move {
            sleep(SECOND).await;
            said.say("handled");
            Ok::<_, crate::Error>(())
        }
    });
    one.part.start();
    sleep(SECOND / 2).await;
    one.part.pause();
    assert!(!one.part.is_at_rest(), "it holds a message");
    sleep(5 * SECOND).await;
    assert!(one.part.is_at_rest());
    assert_eq!((log.said().len(), asked.load(Ordering::Relaxed)), (1, 1));
    one.part.resume();
    sleep(2 * SECOND + SECOND / 2).await;
    assert_eq!((log.said().len(), asked.load(Ordering::Relaxed)), (3, 4));
    one.part.pause();
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
}

#[cfg(feature = "restart")]
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_stream_is_silent_comes_to_rest_at_once_and_a_late_message_waits() {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    let receiver = Arc::new(Mutex::new(receiver));
    let messages = stream::poll_fn(move |cx| receiver.lock().unwrap().poll_recv(cx));
    let log = Log::new();
    let said = log.clone();
    let one = One::consumer(messages, move |_| {
        said.say("handled");
        async { Ok::<_, crate::Error>(()) }
    });
    one.part.start();
    sleep(SECOND).await;
    one.part.pause();
    assert!(one.part.is_at_rest());
    sender.send(1).await.unwrap();
    sleep(SECOND).await;
    assert!(one.part.is_at_rest() && log.said().is_empty());
    one.part.resume();
    sleep(SECOND).await;
    assert_eq!(log.said(), [("handled", 2000)]);
    drop(sender);
    assert_eq!(one.end().await, PartState::Done);
    assert!(one.part.is_at_rest());
}

#[cfg(feature = "restart")]
#[tokio::test(start_paused = true)]
async fn a_worker_takes_no_notice_of_a_pause() {
    let (one, handle) = One::worker(async |mut queue: Queue<u32>| {
        while queue.recv().await.is_some() {}
        Ok::<_, crate::Error>(())
    });
    one.part.start();
    one.part.pause();
    assert!(one.part.is_at_rest());
    handle.send(1).await.unwrap();
    one.part.stop();
    assert_eq!(one.end().await, PartState::Done);
}
