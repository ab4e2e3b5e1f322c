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
    let mut future = Box::pin(Tower(service).call(1));
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
