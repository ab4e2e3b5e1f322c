//! Workers: a task that works off a queue.

use std::future::Future;
use std::sync::Arc;

use tokio::time::sleep;

use super::failure::{Ended, Failure, Next, caught};
use super::policy::Retries;
use super::queue::Home;
use super::{Outcome, Queue, Task};

/// Does `work` with the queue until it returns, and again where its policy says so.
pub(crate) async fn worker<T, W, F>(task: Arc<Task>, home: Arc<Home<T>>, mut work: W) -> Ended
where
    T: Send + 'static,
    W: FnMut(Queue<T>) -> F + Send + 'static,
    F: Future<Output: Outcome> + Send + 'static,
{
    /// However the worker ends, an abort included: its senders are told, and what is left in the queue is dropped.
    struct Close<T>(Arc<Home<T>>);
    impl<T> Drop for Close<T> {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let close = Close(home);
    let mut retries = Retries::new();
    loop {
        let Some(queue) = Queue::leave(&close.0, &task) else {
            let lost = "cannot go on: it gave its queue away".to_owned();
            return Err(Failure::Error(lost));
        };
        task.busy();
        retries.begin();
        let Err(failure) = caught(|| work(queue)).await else { return Ok(()) };
        match task.failed(failure, &mut retries) {
            Next::End(failure) => return Err(failure),
            Next::GoOn => {}
            Next::After(pause) => {
                task.idle();
                sleep(pause).await;
            }
        }
    }
}
