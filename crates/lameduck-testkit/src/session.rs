//! The client's side of TLS, on a blocking socket. It takes any certificate: what it tests is not who the server is.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::Socket;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    SupportedProtocolVersion,
};

static EVERYWHERE: AtomicBool = AtomicBool::new(false);

/// From now on every [`Client::connect`](crate::Client::connect) of this process speaks TLS, so that tests written for
/// plain connections run over TLS as they are.
pub fn speak_tls() {
    EVERYWHERE.store(true, Ordering::Relaxed);
}

/// Whether [`speak_tls`] was called.
#[must_use]
pub fn speaks_tls() -> bool {
    EVERYWHERE.load(Ordering::Relaxed)
}

/// A configuration for clients that take any certificate and offer `protocols` by ALPN.
///
/// # Panics
/// If rustls knows no version of TLS, which would be a bug of its own.
#[must_use]
pub fn trusting_anyone(protocols: &[&str]) -> Arc<ClientConfig> {
    configured(protocols, &[&TLS13, &TLS12])
}

/// The same for TLS 1.2 alone.
pub(crate) fn only_tls12(protocols: &[&str]) -> Arc<ClientConfig> {
    configured(protocols, &[&TLS12])
}

fn configured(
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("TLS 1.2 and 1.3 with ring")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Takes any certificate whose key its owner has.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// One client's session. It speaks whenever it is asked to send or to read, its handshake included.
#[derive(Debug)]
pub(crate) struct Session {
    connection: ClientConnection,
}

impl Session {
    pub(crate) fn new(config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        connection.set_buffer_limit(None);
        Ok(Self { connection })
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// The server's certificate in DER, once the handshake is done.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        self.connection.peer_certificates()?.first().map(|der| der.to_vec())
    }

    /// What ALPN came to.
    pub(crate) fn protocol(&self) -> Option<Vec<u8>> {
        self.connection.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// Takes bytes to be sent by [`flush`](Self::flush); before the end of the handshake they wait for it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.writer().write_all(bytes)
    }

    /// Whether something waits to be sent.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.connection.wants_write()
    }

    /// Sends once; how many bytes of TLS the socket took.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        self.connection.write_tls(socket)
    }

    /// What would be sent, to be sent in another way.
    pub(crate) fn take_outgoing(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Changes our keys, and queues what tells the server so.
    pub(crate) fn update_keys(&mut self) -> io::Result<()> {
        self.connection.refresh_traffic_keys().map_err(io::Error::other)
    }

    /// Queues close_notify.
    pub(crate) fn say_goodbye(&mut self) {
        self.connection.send_close_notify();
    }

    /// Reads from the server: 0 after its close_notify. Its end without one is [`ErrorKind::UnexpectedEof`].
    pub(crate) fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        block: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(block) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.take_in(socket)?;
        }
    }

    /// Reads once from the socket, and answers what TLS itself wants answered.
    pub(crate) fn take_in(&mut self, socket: &mut (impl Read + Write)) -> io::Result<usize> {
        let count = self.connection.read_tls(socket)?;
        let processed = self.connection.process_new_packets();
        while self.connection.wants_write() {
            self.connection.write_tls(socket)?;
        }
        processed.map_err(io::Error::other)?;
        Ok(count)
    }
}

/// A socket that never waits.
pub(crate) struct NoWait<'a>(pub(crate) &'a Socket);

impl Read for NoWait<'_> {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0, block, RecvFlags::DONTWAIT)?.1)
    }
}

impl Write for NoWait<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
