//! A handshake under way: it runs on the connection's task, and the record can end it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::{Accept, TlsAcceptor};
use tracing::Level;

use super::encrypted::Encrypted;
use super::handle::H2;
use super::watched::Watched;
use crate::connections::{Directive, Fate, Membership, Record, state};
use crate::http::peek;

/// A handshake under way. Gives the stream, its membership, and whether HTTP/2 was negotiated; `None` if it failed or
/// was ended.
pub(super) struct Handshake<I> {
    accept: Accept<Watched<I>>,
    record: Arc<Record>,
    /// Behind the stream, so that the descriptor is closed before the record is told.
    membership: Option<Membership>,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Handshake<I> {
    pub(super) fn new(io: I, membership: Membership, config: Arc<ServerConfig>) -> Handshake<I> {
        let record = Arc::clone(membership.record());
        record.state.set(state::HANDSHAKE);
        let accept = TlsAcceptor::from(config).accept(Watched::new(io, Arc::clone(&record)));
        Handshake { accept, record, membership: Some(membership) }
    }

    /// What the record says, to a handshake that waits for its peer. `true`: it ends here.
    fn obey(&self, directive: Directive, cx: &mut Context<'_>) -> bool {
        let record = &self.record;
        record.done_with(directive);
        let speaks = || {
            record.state.has(state::HEAD) || record.remote().with(peek) == Some(peek::Seen::Bytes)
        };
        match directive {
            Directive::None | Directive::Goaway | Directive::AssumePong | Directive::PassOn => {
                false
            }
            Directive::CloseIdle if speaks() => {
                cx.waker().wake_by_ref();
                false
            }
            Directive::Cut if speaks() => {
                record.set_fate(Fate::Cut);
                true
            }
            Directive::CloseIdle | Directive::Cut => {
                record.set_fate(Fate::ClosedIdle);
                true
            }
            Directive::HeadTimeout
            | Directive::Gone
            | Directive::Stalled
            | Directive::BodyTimeout
            | Directive::RequestTimeout => true,
        }
    }

    fn say_failed(&self, error: &io::Error) {
        if tracing::enabled!(target: "lameduck", Level::DEBUG) {
            let text = format!("TLS handshake with {} failed: {error}", self.record.peer());
            self.record.server().shared().events().say(Level::DEBUG, text);
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Future for Handshake<I> {
    type Output = Option<(Encrypted<I>, Membership, bool)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.record.keep_waker(cx.waker());
        let directive = this.record.directive();
        match Pin::new(&mut this.accept).poll(cx) {
            Poll::Ready(Ok(stream)) => {
                // The idle grace and the idle time run from here. What was ordered was meant for the handshake,
                // but for the deadline.
                this.record.state.clear(state::HANDSHAKE | state::HEAD);
                this.record.touch();
                if directive != Directive::Cut {
                    this.record.done_with(directive);
                }
                let http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
                let stream = Encrypted::new(stream, Arc::clone(&this.record));
                return Poll::Ready(this.membership.take().map(|member| (stream, member, http2)));
            }
            Poll::Ready(Err(error)) => {
                this.say_failed(&error);
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        let has_read = this.accept.get_ref().is_some_and(Watched::has_read);
        if has_read && !this.record.state.has(state::HEAD) {
            this.record.state.set(state::HEAD);
        }
        if this.obey(directive, cx) { Poll::Ready(None) } else { Poll::Pending }
    }
}
