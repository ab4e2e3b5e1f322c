//! The body of a response, with the guard of its request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use super::InFlight;
use super::service::BoxError;
use crate::connections::{Ending, state};

pin_project! {
    /// The body of a response. The request is over when it drops.
    pub(super) struct ResponseBody<B> {
        #[pin]
        body: Inner<B>,
        guard: Option<InFlight>,
        bodiless: bool,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(guard) = this.guard
                // hyper's HTTP/1 lets go of a body once as much of it is there as the head said. One that drops because its
                // connection does is counted with that.
                && (*this.bodiless || (guard.key() == 0 && !std::thread::panicking()))
            {
                guard.ends_whole();
            }
        }
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<B> {
        Handler { #[pin] body: B },
        Ours { bytes: Option<Bytes> },
    }
}

impl<B> ResponseBody<B> {
    /// Our own answer, of which the guard knows how it counts.
    pub(super) fn of_ours(bytes: Bytes, guard: InFlight) -> ResponseBody<B> {
        ResponseBody {
            body: Inner::Ours { bytes: Some(bytes) },
            guard: Some(guard),
            bodiless: false,
        }
    }
}

impl<B: http_body::Body> ResponseBody<B> {
    /// The handler's. `empty`: it has no more to give; `bodiless`: HTTP sends none of it (HEAD, 204, 304).
    pub(super) fn of_handler(
        body: B,
        mut guard: InFlight,
        empty: bool,
        bodiless: bool,
    ) -> ResponseBody<B> {
        if empty {
            guard.will_end(Ending::Completed);
        }
        ResponseBody { body: Inner::Handler { body }, guard: Some(guard), bodiless }
    }

    /// That of a 101, or of the answer to a CONNECT.
    pub(super) fn of_upgrade(body: B) -> ResponseBody<B> {
        ResponseBody { body: Inner::Handler { body }, guard: None, bodiless: true }
    }
}

impl<B> http_body::Body for ResponseBody<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    // Of `Bytes`, which nearly all bodies are of, this takes nothing; other data is copied once.
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        let mut this = self.project();
        let polled = match this.body.as_mut().project() {
            InnerProj::Handler { body } => match catch_unwind(AssertUnwindSafe(|| {
                body.poll_frame(cx)
            })) {
                Ok(polled) => polled.map(|frame| {
                    frame.map(|frame| match frame {
                        Ok(frame) => {
                            Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                        }
                        Err(error) => Err(error.into()),
                    })
                }),
                Err(panic) => {
                    let message = crate::panic::message(&*panic);
                    if let Some(guard) = this.guard.as_ref() {
                        guard.note_panic("response body", &message);
                    }
                    Poll::Ready(Some(Err(format!("the response body panicked: {message}").into())))
                }
            },
            InnerProj::Ours { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        };
        let Some(guard) = this.guard.as_mut() else { return polled };
        #[cfg(feature = "http2")]
        if guard.key() != 0 {
            super::streams::offered(polled.is_ready());
        }
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) if guard.key() == 0 => {
                let state = &guard.record().state;
                if !state.has(state::DIRTY) {
                    state.set(state::DIRTY);
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Inner::Handler { body } = &*this.body
                    && (frame.is_trailers() || body.is_end_stream())
                {
                    guard.will_end(Ending::Completed);
                }
            }
            Poll::Ready(None) => {
                if let Inner::Handler { .. } = &*this.body {
                    guard.will_end(Ending::Completed);
                }
            }
            // The response ends in the middle, by the handler's own fault.
            Poll::Ready(Some(Err(_))) => guard.will_end(Ending::Cut),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Inner::Handler { body } => body.is_end_stream(),
            Inner::Ours { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Inner::Handler { body } => body.size_hint(),
            Inner::Ours { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}
