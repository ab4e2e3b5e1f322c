//! The store of inherited sockets.

use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

use super::choice::{self, Offer};
use super::listen_fds::{self, HELD, HELD_RIGHT, Said};
use super::{Socket, kind};
use crate::{Error, sys};

/// The sockets that were handed over to this process and that no server has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    sockets: Mutex<Vec<Socket>>,
    /// What the log is to say of it at the start.
    remark: Option<String>,
    /// A pipe that ends once whoever made those of `LISTEN_FDS` has closed its copies.
    held: Option<Arc<OwnedFd>>,
}

impl Inherited {
    /// Takes over what `LISTEN_FDS` passes on to this process. To be called at the very start.
    ///
    /// In a process it does so once: whoever asks again gets an empty store.
    ///
    /// # Errors
    /// Names the variable or the descriptor that is wrong, and says what would be right.
    pub(crate) fn listen_fds() -> Result<Inherited, Error> {
        let mut store = Inherited::default();
        match listen_fds::read(std::process::id(), |name| std::env::var_os(name))? {
            Said::Nothing => {}
            Said::ForAnother(remark) => store.remark = Some(remark),
            Said::Sockets(names) => {
                for (name, number) in names.into_iter().zip(listen_fds::FIRST..) {
                    let Some(descriptor) = sys::adopt_passed(number)
                        .map_err(|_| wrong(&name, number, kind::NOT_PASSED))?
                    else {
                        continue;
                    };
                    store
                        .add(Socket { name, descriptor, foreign: true, declared: None }, number)?;
                }
                if let Some(number) = listen_fds::held(|name| std::env::var_os(name))? {
                    let pipe = sys::adopt_passed(number).map_err(|_| {
                        Error::msg(format!(
                            "{HELD} is {number}, and no such descriptor was passed on; {HELD_RIGHT}"
                        ))
                    })?;
                    store.held = pipe.map(Arc::new);
                }
            }
        }
        Ok(store)
    }

    /// A pipe that ends once whoever made the sockets of `LISTEN_FDS` has closed its copies, where it gave one.
    pub(crate) fn held(&self) -> Option<&Arc<OwnedFd>> {
        self.held.as_ref()
    }

    /// Adds a socket that came as the descriptor `number`, for the message.
    ///
    /// # Errors
    /// It is no stream socket that listens.
    pub(crate) fn add(&mut self, socket: Socket, number: RawFd) -> Result<(), Error> {
        if let Some(what) = kind::unfit(socket.as_fd()) {
            return Err(wrong(&socket.name, number, &what));
        }
        self.sockets.get_mut().unwrap_or_else(PoisonError::into_inner).push(socket);
        Ok(())
    }

    /// What the log is to say of it at the start.
    pub(crate) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Hands out the socket for the server called `name`: the one of that name, else the one that `is_there`, where
    /// the server would listen. One that nobody gave a name goes, if there is but one, to the first server that
    /// asks and `may_take_any`.
    pub(crate) fn take(
        &self,
        name: &str,
        may_take_any: bool,
        is_there: impl Fn(&Socket) -> bool,
    ) -> Option<Socket> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let nameless = |socket: &Socket| socket.foreign && !choice::is_given(&socket.name);
        let only = may_take_any && sockets.iter().filter(|socket| nameless(socket)).count() == 1;
        let (places, offers): (Vec<usize>, Vec<Offer<'_>>) = sockets
            .iter()
            .enumerate()
            .map(|(place, socket)| {
                let is_anybodys = only && nameless(socket);
                (place, Offer { name: &socket.name, is_there: is_there(socket), is_anybodys })
            })
            // A predecessor bound its sockets where it was told to: a server that is told otherwise by now binds another.
            .filter(|(place, offer)| offer.is_there || sockets[*place].foreign)
            .unzip();
        let chosen = choice::choose(&offers, name)?;
        Some(sockets.remove(places[chosen]))
    }

    /// Empties the store: what is left is used by nobody, and is the caller's to close and to speak of.
    pub(crate) fn take_rest(&self) -> Vec<Socket> {
        std::mem::take(&mut *self.sockets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn wrong(name: &str, number: RawFd, what: &str) -> Error {
    let called = match name {
        "" => String::new(),
        name => format!(" (`{}`)", name.escape_debug()),
    };
    Error::msg(format!("the inherited descriptor {number}{called} {what}"))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn add(descriptor: impl Into<OwnedFd>) -> Result<(), String> {
        let socket = Socket {
            name: "public".to_owned(),
            descriptor: descriptor.into(),
            foreign: true,
            declared: None,
        };
        Inherited::default().add(socket, 3).map_err(|error| error.to_string())
    }

    fn store(sockets: Vec<(&str, bool)>) -> (Inherited, Vec<String>) {
        let mut store = Inherited::default();
        let mut addresses = Vec::new();
        for (name, foreign) in sockets {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            addresses.push(listener.local_addr().unwrap().to_string());
            let socket = Socket {
                name: name.to_owned(),
                descriptor: listener.into(),
                foreign,
                declared: None,
            };
            store.add(socket, 3).unwrap();
        }
        (store, addresses)
    }

    fn taken(store: &Inherited, name: &str, any: bool) -> Option<String> {
        store.take(name, any, |_| false).map(|socket| socket.to_string())
    }

    #[test]
    fn each_socket_is_handed_out_once_and_the_rest_remains() {
        let (store, at) = store(vec![("public", true), ("public", true), ("other", true)]);
        assert_eq!(taken(&store, "public", true), Some(format!("`public` on {}", at[0])));
        assert_eq!(taken(&store, "public", true), Some(format!("`public` on {}", at[1])));
        assert_eq!(taken(&store, "public", true), None);
        let rest: Vec<String> =
            store.take_rest().into_iter().map(|socket| socket.to_string()).collect();
        assert_eq!(rest, [format!("`other` on {}", at[2])]);
        assert!(store.take_rest().is_empty());
    }

    #[test]
    fn the_only_socket_without_a_name_goes_to_the_first_server_that_may_take_any() {
        let (one, at) = store(vec![("admin", true), ("shop.socket", true)]);
        assert_eq!(taken(&one, "metrics", false), None);
        assert_eq!(taken(&one, "web", true), Some(format!("`shop.socket` on {}", at[1])));
        assert_eq!(taken(&one, "api", true), None);

        let (two, _) = store(vec![("", true), ("shop.socket", true)]);
        assert_eq!(taken(&two, "web", true), None);

        // A predecessor names each by its server, whatever that is called.
        let (passed, _) = store(vec![("shop.socket", false)]);
        assert_eq!(taken(&passed, "web", true), None);
    }

    #[test]
    fn what_is_no_listening_stream_socket_is_refused_and_said_so() {
        let right =
            "pass on a TCP or Unix stream socket that listens (`ListenStream=` in a socket unit)";
        let refused = |descriptor: OwnedFd| add(descriptor).expect_err("refused");
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(
            refused(file.into()),
            format!("the inherited descriptor 3 (`public`) is no socket; {right}")
        );
        let datagram =
            format!("the inherited descriptor 3 (`public`) is a datagram socket; {right}");
        assert_eq!(refused(UdpSocket::bind("127.0.0.1:0").unwrap().into()), datagram);
        assert_eq!(refused(UnixDatagram::unbound().unwrap().into()), datagram);

        let connection = "the inherited descriptor 3 (`public`) is a connection; pass on the listening socket instead \
                          (`Accept=no`)";
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(refused(client.into()), connection);
        assert_eq!(refused(UnixStream::pair().unwrap().0.into()), connection);
        assert_eq!(add(listener), Ok(()));

        let deaf =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        assert_eq!(
            refused(deaf.into()),
            "the inherited descriptor 3 (`public`) is a socket that does not listen; call listen(2) on it, then pass \
             it on"
        );
    }
}
