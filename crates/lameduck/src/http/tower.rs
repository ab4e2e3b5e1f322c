//! A tower service as what serves a connection's requests.

use std::cell::RefCell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::service::BoxError;

/// A tower service as what serves a connection's requests. Each connection has a clone of it.
///
/// Nearly all services are always ready. So readiness is asked for at once, without anybody to wake: only where
/// the service is not ready the request waits in the future, with the service that it waits for, and the connection has
/// another clone from then on. hyper-util's `TowerToHyperService` puts every request into its future and takes it out
/// again, and clones the service each time.
///
/// One that panicked when it was called is not called again: all further requests fail.
#[derive(Clone, Debug)]
pub(crate) struct Tower<S>(RefCell<S>);

impl<S> Tower<S> {
    pub(crate) fn new(service: S) -> Tower<S> {
        Tower(RefCell::new(service))
    }
}

impl<S, R> hyper::service::Service<R> for Tower<S>
where
    S: tower_service::Service<R> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Answering<S, R>;

    // A call of its own: where two ways of making the future meet in its caller, it is made elsewhere and copied.
    #[inline(never)]
    fn call(&self, request: R) -> Answering<S, R> {
        let Ok(service) = self.0.try_borrow_mut() else {
            return Answering::Failed { error: Some("the service has panicked".into()) };
        };
        // A panic leaves it borrowed for ever. A call that has nothing to tidy up when it unwinds writes its future where
        // that belongs, instead of having it copied there.
        let mut service = ManuallyDrop::new(service);
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        if !matches!(ready, Poll::Ready(Ok(()))) {
            let another = service.clone();
            let own = std::mem::replace(&mut **service, another);
            drop(ManuallyDrop::into_inner(service));
            return answering(own, ready, request);
        }
        let answering = Answering::Called { future: service.call(request) };
        drop(ManuallyDrop::into_inner(service));
        answering
    }
}

/// What becomes of a request whose service is its own.
#[cold]
fn answering<S, R>(mut service: S, ready: Poll<Result<(), S::Error>>, request: R) -> Answering<S, R>
where
    S: tower_service::Service<R>,
    S::Error: Into<BoxError>,
{
    match ready {
        Poll::Ready(Ok(())) => Answering::Called { future: service.call(request) },
        Poll::Ready(Err(error)) => Answering::Failed { error: Some(error.into()) },
        Poll::Pending => Answering::Waiting { waiting: Some(Box::new((service, request))) },
    }
}

pin_project! {
    /// The future of one request.
    #[project = Project]
    pub(crate) enum Answering<S, R>
    where
        S: tower_service::Service<R>,
    {
        Called {
            #[pin]
            future: S::Future,
        },
        Waiting {
            waiting: Option<Box<(S, R)>>,
        },
        Failed {
            error: Option<BoxError>,
        },
    }
}

impl<S, R> Future for Answering<S, R>
where
    S: tower_service::Service<R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project() {
                Project::Called { future } => return future.poll(cx).map_err(Into::into),
                Project::Failed { error } => match error.take() {
                    Some(error) => return Poll::Ready(Err(error)),
                    None => return Poll::Pending,
                },
                Project::Waiting { waiting } => {
                    // Asked again even if nobody was to be woken before: from here on this task is.
                    let Some(ready) = waiting.as_mut().map(|waiting| waiting.0.poll_ready(cx))
                    else {
                        return Poll::Pending;
                    };
                    match ready {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                        Poll::Ready(Ok(())) => match waiting.take() {
                            Some(waiting) => {
                                let (mut service, request) = *waiting;
                                Answering::Called { future: service.call(request) }
                            }
                            None => return Poll::Pending,
                        },
                    }
                }
            };
            self.set(next);
        }
    }
}

#[cfg(test)]
mod tests;
