//! An HTTP server as a part of the service: its listener, its connections, their stop.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
#[cfg(feature = "tls")]
use std::sync::OnceLock;
#[cfg(feature = "restart")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tracing::Level;

use super::close::{self, Closed, Way};
use super::connection::{Connection, Handle, Io};
use super::late;
use super::listen::{Accepted, Incoming, Listener};
use super::opening;
#[cfg(feature = "restart")]
use super::parcels::{self, Arrival};
use super::peek::{self, peek};
use super::silent::{Silent, Spoken};
#[cfg(feature = "tls")]
use super::tls::{self, Tls};
#[cfg(feature = "restart")]
use crate::connections::state;
use crate::connections::{Connections, Limits, Membership, Mode, Peer};
use crate::lifecycle::{Message, Shared};
#[cfg(feature = "restart")]
use crate::parcel::{Outbox, Parcel};
use crate::part::{Identity, Life, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind, Totals};
use crate::sys::{Guarded, Owning};

/// How much of what a peer still sends the supervisor reads away behind a late answer.
const DISCARD: usize = 1 << 20;

/// Brings connections to a source until it is told to stop; then lets go of its listener.
type Intake = Box<dyn FnOnce(Arc<Door>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Serves an adopted connection: with whether it is known to speak HTTP/1, and what was read off it before.
#[cfg(feature = "restart")]
type Adopter = Arc<dyn Fn(Arc<Door>, Accepted, Membership, Option<bool>, Bytes) + Send + Sync>;

/// What an intake needs of its source.
pub(crate) struct Door {
    name: String,
    connections: Arc<Connections>,
    stop: CancellationToken,
    life: Life,
    /// With which certificate its connections are encrypted, if they are.
    #[cfg(feature = "tls")]
    tls: OnceLock<Tls>,
    /// How the listener was closed, and whether that may have reset a connection unheard: for the report.
    closed: Mutex<Option<(String, bool)>>,
    /// Told when it is to look again whether it may take new connections.
    #[cfg(feature = "restart")]
    turned: tokio::sync::Notify,
    /// The intake has seen that it is paused, and takes nothing. A lock, not an atomic: it is read and written together
    /// with the mode.
    #[cfg(feature = "restart")]
    parked: Mutex<bool>,
    /// Whether this process alone holds the listener, if something else is so than when it came.
    #[cfg(feature = "restart")]
    alone: Mutex<Option<bool>>,
    /// A successor serves the listener.
    #[cfg(feature = "restart")]
    left: AtomicBool,
}

/// An HTTP server as a part of the service.
pub(crate) struct Source {
    identity: Identity,
    door: Arc<Door>,
    limits: Mutex<Limits>,
    #[cfg(feature = "tls")]
    tls: Mutex<Option<Tls>>,
    intake: Mutex<Option<Intake>>,
    /// None where no connection can be adopted.
    #[cfg(feature = "restart")]
    adopter: Mutex<Option<Adopter>>,
}

impl Source {
    fn new(
        name: &str,
        place: &'static Location<'static>,
        shared: &Arc<Shared>,
        intake: Intake,
    ) -> Source {
        let connections = Arc::new(Connections::new(Arc::clone(shared)));
        let door = Door {
            name: name.to_owned(),
            connections,
            stop: CancellationToken::new(),
            life: Life::default(),
            #[cfg(feature = "tls")]
            tls: OnceLock::new(),
            closed: Mutex::new(None),
            #[cfg(feature = "restart")]
            turned: tokio::sync::Notify::new(),
            #[cfg(feature = "restart")]
            parked: Mutex::new(false),
            #[cfg(feature = "restart")]
            alone: Mutex::new(None),
            #[cfg(feature = "restart")]
            left: AtomicBool::new(false),
        };
        Source {
            identity: Identity { name: name.to_owned(), tier: Tier::Source, place },
            door: Arc::new(door),
            limits: Mutex::new(Limits::default()),
            #[cfg(feature = "tls")]
            tls: Mutex::new(None),
            intake: Mutex::new(Some(intake)),
            #[cfg(feature = "restart")]
            adopter: Mutex::new(None),
        }
    }

    /// A server on a listener.
    pub(crate) fn listening<S: Handle>(
        name: &str,
        place: &'static Location<'static>,
        shared: &Arc<Shared>,
        listener: Listener,
        service: S,
    ) -> Source {
        #[cfg(feature = "restart")]
        let adopter = adopter(service.clone());
        let intake = move |door: Arc<Door>| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                let own = Arc::clone(&door);
                let admit = move |accepted| match accepted {
                    Accepted::Tcp(stream, peer) => {
                        own.serve_socket(stream, Peer::Tcp(peer), service.clone());
                    }
                    Accepted::Unix(stream) => {
                        own.serve_socket(stream, Peer::Unix, service.clone());
                    }
                };
                let local = listener.local_addr();
                match listener.start() {
                    Ok(incoming) => {
                        if let Ok(local) = local {
                            let how = if door.is_encrypted() { " (TLS)" } else { "" };
                            door.say(Level::INFO, &format!("accepting on {local}{how}"));
                        }
                        door.accept(incoming, admit).await;
                    }
                    Err(error) => door.fail(&format!("cannot accept: {error}")),
                }
            })
        };
        let source = Source::new(name, place, shared, Box::new(intake));
        #[cfg(feature = "restart")]
        {
            *source.adopter.lock().unwrap_or_else(PoisonError::into_inner) = Some(adopter);
        }
        source
    }

    /// A server on connections from anywhere: each item is one.
    pub(crate) fn fed<T, I, S>(
        name: &str,
        place: &'static Location<'static>,
        shared: &Arc<Shared>,
        feed: T,
        service: S,
    ) -> Source
    where
        T: futures_util::Stream<Item = I> + Send + 'static,
        I: Io,
        S: Handle,
    {
        let intake = move |door: Arc<Door>| -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                let mut feed = std::pin::pin!(feed);
                let mut stopped = std::pin::pin!(door.stop.cancelled());
                while door.connections.mode() < Mode::Draining {
                    if door.connections.mode().is_paused() {
                        door.park(&mut stopped).await;
                        continue;
                    }
                    let next = std::future::poll_fn(|cx| feed.as_mut().poll_next(cx));
                    let io = tokio::select! {
                        biased;
                        () = &mut stopped => break,
                        () = door.turned() => continue,
                        next = next => next,
                    };
                    let Some(io) = io else { break };
                    let membership = door.connections.add(Peer::Other, false);
                    door.serve(io, membership, service.clone());
                }
            })
        };
        Source::new(name, place, shared, Box::new(intake))
    }

    /// Has the connections encrypted; without effect once the service is ready.
    #[cfg(feature = "tls")]
    pub(crate) fn set_tls(&self, tls: Tls) {
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(tls);
    }

    /// Serves connections from now on, wherever they come from.
    fn open(&self) {
        let connections = &self.door.connections;
        connections.set_limits(*self.limits.lock().unwrap_or_else(PoisonError::into_inner));
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = self.door.tls.set(tls);
        }
        self.door.life.begin();
    }

    /// Changes the limits; without effect once the service is ready.
    pub(crate) fn set_limits(&self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Keeps a service for adopted connections. It is cloned on the runtime: that is foreign code.
#[cfg(feature = "restart")]
fn adopter<S: Handle>(service: S) -> Adopter {
    let service = Arc::new(Mutex::new(service));
    Arc::new(move |door, accepted, membership, http2, read_ahead| {
        let service = Arc::clone(&service);
        let clone = move || service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match accepted {
            Accepted::Tcp(stream, _) => {
                door.serve_adopted(stream, membership, http2, read_ahead, clone);
            }
            Accepted::Unix(stream) => {
                door.serve_adopted(stream, membership, http2, read_ahead, clone);
            }
        }
    })
}

impl Door {
    /// Serves an adopted socket on a task of its own.
    #[cfg(feature = "restart")]
    fn serve_adopted<T: Owning + Send + 'static, S: Handle>(
        &self,
        stream: T,
        membership: Membership,
        http2: Option<bool>,
        read_ahead: Bytes,
        service: impl FnOnce() -> S + Send + 'static,
    ) {
        let stream = Guarded::new(stream, Arc::clone(membership.record()));
        let runtime = self.connections.shared().runtime();
        if read_ahead.is_empty() {
            let silent = Silent::new(stream, membership);
            drop(runtime.spawn(async move {
                if let Some(Spoken { socket, membership, first }) = silent.await {
                    let http2 = opening::protocol(http2 == Some(false), &first);
                    let connection = Connection::new(socket, membership, service(), http2, first);
                    let mut connection = Box::new(connection);
                    connection.set_passable(Guarded::into_fd);
                    connection.await;
                }
            }));
            return;
        }
        membership.record().spoke();
        drop(runtime.spawn(async move {
            let connection = Connection::new(stream, membership, service(), http2, read_ahead);
            let mut connection = Box::new(connection);
            connection.set_passable(Guarded::into_fd);
            connection.await;
        }));
    }

    /// Waits until it is to look again whether it may take new connections.
    async fn turned(&self) {
        #[cfg(feature = "restart")]
        self.turned.notified().await;
        #[cfg(not(feature = "restart"))]
        std::future::pending::<()>().await;
    }

    /// Takes nothing until that changes.
    async fn park(&self, stopped: &mut (impl Future<Output = ()> + Unpin)) {
        #[cfg(feature = "restart")]
        {
            self.set_parked(true);
            self.connections.shared().events().check();
        }
        tokio::select! {
            biased;
            () = stopped => {}
            () = self.turned() => {}
        }
        // Before the mode is looked at again.
        #[cfg(feature = "restart")]
        self.set_parked(false);
    }

    #[cfg(feature = "restart")]
    fn set_parked(&self, parked: bool) {
        *self.parked.lock().unwrap_or_else(PoisonError::into_inner) = parked;
    }

    /// Serves a socket on a task of its own.
    fn serve_socket<T: Owning + Send + 'static, S: Handle>(
        &self,
        stream: T,
        peer: Peer,
        service: S,
    ) {
        let encrypted = self.is_encrypted();
        let membership = self.connections.add(peer, !encrypted);
        let stream = Guarded::new(stream, Arc::clone(membership.record()));
        if encrypted {
            return self.serve(stream, membership, service);
        }
        // Not within the future: if that is dropped before its first poll, the socket must go before the membership.
        let silent = Silent::new(stream, membership);
        drop(self.connections.shared().runtime().spawn(async move {
            if let Some(Spoken { socket, membership, first }) = silent.await {
                let http2 = opening::protocol(false, &first);
                // In a box: tokio moves a task's future four times, most of them after its end.
                let connection = Connection::new(socket, membership, service, http2, first);
                #[cfg_attr(not(feature = "restart"), expect(unused_mut, reason = "set below"))]
                let mut connection = Box::new(connection);
                #[cfg(feature = "restart")]
                connection.set_passable(Guarded::into_fd);
                connection.await;
            }
        }));
    }

    /// Serves a connection on a task of its own, whatever it is.
    fn serve<I: Io, S: Handle>(&self, io: I, membership: Membership, service: S) {
        let runtime = self.connections.shared().runtime();
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.get() {
            drop(runtime.spawn(tls::serve(io, membership, tls, service)));
            return;
        }
        drop(runtime.spawn(Connection::new(io, membership, service, None, Bytes::new())));
    }

    fn is_encrypted(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.get().is_some();
        #[cfg(not(feature = "tls"))]
        return false;
    }

    /// Accepts until the source is told to stop, then closes the listener without loss.
    async fn accept(&self, incoming: Incoming, mut admit: impl FnMut(Accepted)) {
        let mut shortage = Shortage::default();
        let limit = self.connections.limits().connections.unwrap_or(usize::MAX);
        let mut stopped = std::pin::pin!(self.stop.cancelled());
        // Asked first, and for less than the token, so that a flood of connections does not put off the stop.
        while self.connections.mode() < Mode::Draining {
            if self.connections.mode().is_paused() {
                self.park(&mut stopped).await;
                continue;
            }
            if self.connections.len() >= limit {
                // Further connections wait in the accept queue.
                tokio::select! {
                    biased;
                    () = &mut stopped => break,
                    () = self.turned() => continue,
                    () = self.connections.freed.notified() => continue,
                }
            }
            let accepted = tokio::select! {
                biased;
                accepted = incoming.accept() => accepted,
                () = &mut stopped => break,
                () = self.turned() => continue,
            };
            let error = match accepted {
                Ok(accepted) => {
                    shortage.over(self);
                    admit(accepted);
                    continue;
                }
                Err(error) => error,
            };
            match trouble(&error) {
                Trouble::OneConnection => {}
                Trouble::Shortage => {
                    let pause = shortage.pause(self, &error);
                    tokio::select! {
                        biased;
                        () = &mut stopped => break,
                        () = self.turned() => {}
                        () = self.connections.freed.notified() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Trouble::Listener => {
                    self.fail(&format!("the listener failed: {error}"));
                    return;
                }
            }
        }
        #[cfg(feature = "restart")]
        let Some(incoming) = self.unless_left(incoming) else { return };
        let closed = close::close(incoming, admit, close::LIMIT).await;
        self.note_closed(&closed);
    }

    /// The listener as it is to be closed; `None`: it was left to the successor.
    #[cfg(feature = "restart")]
    fn unless_left(&self, mut incoming: Incoming) -> Option<Incoming> {
        if self.left.load(Ordering::Acquire) {
            // What waits there is the successor's to accept, and so is the file of a Unix socket.
            drop(incoming);
            let text = "left to the successor".to_owned();
            self.say(Level::DEBUG, &format!("listener {text}"));
            *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some((text, false));
            return None;
        }
        if let Some(alone) = *self.alone.lock().unwrap_or_else(PoisonError::into_inner) {
            incoming.set_exclusive(alone);
        }
        Some(incoming)
    }

    /// Has a line logged. Not from here: a subscriber that blocks must not keep connections waiting.
    fn say(&self, level: Level, text: &str) {
        self.connections.shared().events().say(level, format!("`{}`: {text}", self.name));
    }

    fn note_closed(&self, closed: &Closed) {
        let text = closed.to_string();
        let may_have_lost = closed.may_have_lost();
        let level = match closed.way {
            _ if may_have_lost => Level::WARN,
            Way::Shared => Level::INFO,
            Way::Sink | Way::SinkUnasked(_) | Way::Refusing | Way::Plain(_) => Level::DEBUG,
        };
        self.say(level, &format!("listener closed: {text}"));
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some((text, may_have_lost));
    }

    /// The listener failed, which is something else than being closed in order: the service stops.
    fn fail(&self, message: &str) {
        self.life.end(PartState::Failed, Some(message.to_owned()));
        self.connections
            .shared()
            .events()
            .send(Message::Failed { part: self.name.clone(), message: message.to_owned() });
    }
}

/// What an error of accept(2) means.
enum Trouble {
    /// It concerns the connection that was being accepted.
    OneConnection,
    /// Descriptors or memory have run out for now.
    Shortage,
    /// The listener itself is broken.
    Listener,
}

fn trouble(error: &std::io::Error) -> Trouble {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Trouble::Shortage,
        Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT) => {
            Trouble::Listener
        }
        // Network errors of the new connection are passed on by Linux (accept(2), "Error handling").
        Some(_) | None => Trouble::OneConnection,
    }
}

/// Descriptors have run out: one warning, and longer and longer pauses, up to a second.
#[derive(Default)]
struct Shortage {
    pause: Option<Duration>,
    /// When accept last failed, from the warning until it has gone well for a while.
    last: Option<Instant>,
}

impl Shortage {
    /// How long accepting must have gone well for the shortage to be over: longer than any pause. Each
    /// connection that goes makes room for one more, which is no end of it.
    const CALM: Duration = Duration::from_secs(2);

    fn pause(&mut self, door: &Door, error: &std::io::Error) -> Duration {
        if self.last.replace(Instant::now()).is_none() {
            let text = format!(
                "cannot accept more connections for now: {error}; raise the limit of open files (ulimit -n), \
                 or set a connection limit"
            );
            door.say(Level::WARN, &text);
        }
        let pause = self.pause.map_or(Duration::from_millis(10), |last| last * 2);
        let pause = pause.min(Duration::from_secs(1));
        self.pause = Some(pause);
        pause
    }

    fn over(&mut self, door: &Door) {
        self.pause = None;
        if self.last.is_some_and(|last| last.elapsed() >= Self::CALM) {
            self.last = None;
            door.say(Level::INFO, "accepting connections again");
        }
    }
}

impl Part for Source {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn start(&self) {
        let Some(intake) = self.intake.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        self.open();
        let connections = &self.door.connections;
        connections.set_listening(true);
        let door = Arc::clone(&self.door);
        /// Says that no connection comes any more, however the intake ends.
        struct Listening(Arc<Connections>);
        impl Drop for Listening {
            fn drop(&mut self) {
                self.0.set_listening(false);
            }
        }
        let listening = Listening(Arc::clone(connections));
        drop(connections.shared().runtime().spawn(async move {
            intake(door).await;
            drop(listening);
        }));
    }

    #[cfg(feature = "restart")]
    fn is_server(&self) -> bool {
        true
    }

    fn stop(&self) {
        self.door.life.tell();
        let connections = &self.door.connections;
        #[cfg(feature = "restart")]
        {
            let left = connections.mode().is_paused();
            self.door.left.store(left, Ordering::Release);
            connections.keep();
        }
        connections.enter(Mode::Draining);
        self.door.stop.cancel();
        // Where it was never started its listener closes, but not here: the user's service drops with it, and that
        // is foreign code.
        let unused = self.intake.lock().unwrap_or_else(PoisonError::into_inner).take();
        #[cfg(feature = "restart")]
        let unused = (unused, self.adopter.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(connections.shared().runtime().spawn(async move { drop(unused) }));
    }

    fn is_done(&self) -> bool {
        let done = self.door.connections.is_over();
        if done && self.door.life.has_begun() {
            self.door.life.end(PartState::Done, None);
        }
        done
    }

    fn abandon(&self) -> Vec<Stuck> {
        let connections = &self.door.connections;
        let mut stuck = connections.stuck();
        let doing = match connections.len() {
            0 => "closing its listener".to_owned(),
            left => format!("closing {left} connections without a request"),
        };
        let own = self.door.life.abandon(&self.identity, StuckKind::Source, &doing);
        if stuck.is_empty() {
            stuck.push(own);
        }
        connections.enter(Mode::Cut);
        connections.each_upgraded(|remote| {
            remote.with(|fd| rustix::net::shutdown(fd, rustix::net::Shutdown::Both));
        });
        connections.tick(Instant::now());
        stuck
    }

    fn say_goodbye(&self) {
        self.door.connections.enter(Mode::Goodbye);
    }

    fn answer_late(&self) {
        let connections = &self.door.connections;
        connections.take_over(
            |remote| remote.with(peek) == Some(peek::Seen::Bytes),
            |remote, method| {
                let answer = late::raw_unavailable(method);
                remote.with(|fd| {
                    use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
                    // A socket that does not take these few bytes at once has a peer that does not read.
                    let _ = send(fd, &answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                    let _ = shutdown(fd, Shutdown::Write);
                    // What the peer has sent must be read, or the end of the process resets the connection
                    // and destroys the answer.
                    let mut dropped = [0; 16 * 1024];
                    let mut left = DISCARD;
                    while let Ok((count @ 1.., _)) = recv(fd, &mut dropped[..], RecvFlags::DONTWAIT)
                    {
                        left = left.saturating_sub(count);
                        if left == 0 {
                            break;
                        }
                    }
                });
            },
        );
    }

    fn sever(&self) {
        self.door.connections.sever(|remote, resets| {
            remote.with(|fd| {
                // A reset (connect(2), AF_UNSPEC), of a descriptor that is not ours to close. A Unix socket has none.
                if !resets || rustix::net::connect_unspec(fd).is_err() {
                    let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Both);
                }
            });
        });
    }

    fn tick(&self, now: Instant) -> Option<Instant> {
        if !self.door.life.has_begun() {
            return None;
        }
        let connections = &self.door.connections;
        connections.give_up_gone(now, |remote| remote.with(peek::is_gone) == Some(true));
        connections.tick(now)
    }

    #[cfg(feature = "restart")]
    fn pass_on(&self, outbox: &Outbox) {
        self.door.connections.pass_on(outbox);
    }

    #[cfg(feature = "restart")]
    fn is_swept(&self) -> bool {
        self.door.connections.is_swept()
    }

    #[cfg(feature = "restart")]
    fn pause(&self) {
        self.door.connections.pause();
        self.door.turned.notify_one();
    }

    #[cfg(feature = "restart")]
    fn is_at_rest(&self) -> bool {
        let connections = &self.door.connections;
        if !self.door.life.has_begun() {
            return true;
        }
        // Locked after the mode was set: see `Door::park`.
        let parked = *self.door.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = connections.mode().is_paused() && parked || !connections.is_listening();
        stands && connections.len() == 0
    }

    #[cfg(feature = "restart")]
    fn resume(&self) {
        self.door.connections.resume();
        self.door.turned.notify_one();
    }

    #[cfg(feature = "restart")]
    fn prepare(&self) {
        self.open();
    }

    #[cfg(feature = "restart")]
    fn set_alone(&self, alone: bool) {
        *self.door.alone.lock().unwrap_or_else(PoisonError::into_inner) = Some(alone);
    }

    #[cfg(feature = "restart")]
    fn adopts(&self) -> bool {
        let door = &self.door;
        let serves = door.life.has_begun() && door.connections.mode() < Mode::Goodbye;
        serves
            && !door.is_encrypted()
            && self.adopter.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    #[cfg(feature = "restart")]
    fn adopt(&self, parcel: Parcel) -> Result<(), Parcel> {
        let door = &self.door;
        let adopter = self.adopter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(adopter) = adopter.filter(|_| self.adopts()) else { return Err(parcel) };
        let Parcel { socket, read_ahead, spoken, idle } = parcel;
        let _inside = door.connections.shared().runtime().enter();
        let (accepted, peer) = match parcels::unpack(socket, |text| door.say(Level::WARN, &text)) {
            Ok(Arrival::Socket(accepted, peer)) => (accepted, peer),
            Ok(Arrival::Ended) => return Ok(()),
            Err(socket) => return Err(Parcel { socket, read_ahead, spoken, idle }),
        };
        let read_ahead = read_ahead.slice_ref(opening::without_empty_lines(&read_ahead));
        let http2 = opening::protocol(spoken, &read_ahead);
        let membership = door.connections.adopt(peer, idle);
        if spoken {
            membership.record().state.set(state::SPOKEN);
        }
        adopter(Arc::clone(door), accepted, membership, http2, read_ahead);
        Ok(())
    }

    fn report(&self) -> Option<PartReport> {
        let closed = self.door.closed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (text, may_have_lost) = closed.unzip();
        let report = self.door.life.report(&self.identity, text);
        Some(PartReport { may_have_lost: may_have_lost.unwrap_or_default(), ..report })
    }

    fn count(&self, totals: &mut Totals) {
        self.door.connections.count(totals);
    }
}
