use std::task::{Context, Poll, Waker};

use hyper::service::Service as _;

use super::*;

/// Is ready when asked for the `at`th time, and broken when asked for the 13th.
#[derive(Clone)]
struct Slow {
    at: u32,
    asked: u32,
}

impl tower_service::Service<u32> for Slow {
    type Response = u32;
    type Error = &'static str;
    type Future = std::future::Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.asked += 1;
        match self.asked {
            asked if asked >= self.at => Poll::Ready(Ok(())),
            13 => Poll::Ready(Err("broken")),
            _ => Poll::Pending,
        }
    }

    fn call(&mut self, request: u32) -> Self::Future {
        assert!(self.asked >= self.at, "called before it was ready");
        std::future::ready(Ok(request + 1))
    }
}

/// What the last of so many polls gives; those before are pending.
fn poll_times(service: Slow, times: u32) -> Poll<Result<u32, String>> {
    let mut future = Box::pin(Tower::new(service).call(1));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 1..times {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    future.as_mut().poll(&mut cx).map_err(|error| error.to_string())
}

#[test]
fn a_service_that_is_ready_is_called_at_once() {
    assert_eq!(poll_times(Slow { at: 1, asked: 0 }, 1), Poll::Ready(Ok(2)));
}

#[test]
fn a_request_waits_for_its_service_to_be_ready() {
    assert_eq!(poll_times(Slow { at: 4, asked: 0 }, 3), Poll::Ready(Ok(2)));
}

#[test]
fn a_service_that_breaks_fails_its_requests() {
    let broken = Poll::Ready(Err("broken".to_owned()));
    assert_eq!(poll_times(Slow { at: 99, asked: 12 }, 1), broken);
    assert_eq!(poll_times(Slow { at: 99, asked: 0 }, 12), broken);
}

#[test]
fn one_that_is_not_ready_is_the_request_s_own_and_the_next_has_another() {
    let tower = Tower::new(Slow { at: 2, asked: 0 });
    let mut cx = Context::from_waker(Waker::noop());
    let (mut one, mut other) = (Box::pin(tower.call(1)), Box::pin(tower.call(2)));
    assert_eq!(other.as_mut().poll(&mut cx).map(Result::ok), Poll::Ready(Some(3)));
    assert_eq!(one.as_mut().poll(&mut cx).map(Result::ok), Poll::Ready(Some(2)));
}

/// Counts its calls, and panics when it is called with 0.
#[derive(Clone)]
struct Counting(u32);

impl tower_service::Service<u32> for Counting {
    type Response = u32;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<u32, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.0 += 1;
        assert!(request != 0, "zero");
        std::future::ready(Ok(self.0))
    }
}

#[test]
fn one_that_panicked_is_not_called_again() {
    let tower = Tower::new(Counting(0));
    let call = |request| {
        let mut future = Box::pin(tower.call(request));
        future.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(Result::ok)
    };
    assert_eq!(call(1), Poll::Ready(Some(1)));
    assert_eq!(call(1), Poll::Ready(Some(2)), "a connection keeps its own");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(0))).is_err());
    assert_eq!(call(1), Poll::Ready(None));
}
