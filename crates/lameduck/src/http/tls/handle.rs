//! The handle that a user declares TLS with and reloads it by.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;

use super::{TlsError, pair};

/// What a server offers by ALPN (RFC 7301), the best first.
const PROTOCOLS: &[&[u8]] =
    if cfg!(feature = "http2") { &[H2, b"http/1.1"] } else { &[b"http/1.1"] };
/// HTTP/2 over TLS (RFC 9113, section 3.2).
pub(super) const H2: &[u8] = b"h2";

/// A certificate and its private key, for HTTP servers. Clones are the same thing: what one reloads, all use.
///
/// TLS 1.2 and 1.3. A client that negotiates `h2` by ALPN speaks HTTP/2, any other HTTP/1.1: without ALPN there is
/// no HTTP/2 over TLS (RFC 9113, section 3.3).
///
/// ```no_run
/// use std::process::ExitCode;
/// use lameduck::{Service, Setup, Tls};
///
/// fn main() -> ExitCode {
///     Service::new("hello").run(async |hello: &mut Setup| {
///         let tls = Tls::from_pem_files("cert.pem", "key.pem")?;
///         let router = axum::Router::new().route("/", axum::routing::get(async || "OK"));
///         hello.http("public", "0.0.0.0:8443", router).tls(&tls);
///         // A new certificate without a stop: replace the files, then `kill -HUP`. What is wrong with the files
///         // is logged, and the old certificate goes on.
///         hello.on_hangup(move || drop(tls.reload()));
///         Ok(())
///     })
/// }
/// ```
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    /// Held while the files are read, so that of two reloads at once the later one is not undone by the earlier.
    reloading: Mutex<()>,
    /// Held for a clone only: each accept takes one.
    config: Mutex<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads a certificate (its issuers' behind it, in the order of the chain) and its private key from two PEM
    /// files. The paths are kept for [`Tls::reload`]. It reads files, and so blocks for as long as they take.
    ///
    /// # Errors
    /// A file cannot be read or used, or the two do not belong together; the error says which and what would be
    /// right. Whether the certificate is still valid, and for which names, is not looked at.
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Tls, TlsError> {
        let (certificate, key) = (certificate.as_ref().to_owned(), key.as_ref().to_owned());
        let config = Mutex::new(configure(&certificate, &key)?);
        let inner = Inner { certificate, key, reloading: Mutex::new(()), config };
        Ok(Tls { inner: Arc::new(inner) })
    }

    /// Reads the same files again. Handshakes that begin from now on use what they hold; connections that exist
    /// keep what they have, and sessions of before are not resumed. The outcome is logged too. It reads files, and
    /// so blocks for as long as they take: call it from [`Setup::on_hangup`](crate::Setup::on_hangup), whose thread
    /// is there for that, or from `spawn_blocking`.
    ///
    /// # Errors
    /// As [`Tls::from_pem_files`]. The old certificate then goes on serving.
    pub fn reload(&self) -> Result<(), TlsError> {
        let inner = &self.inner;
        let _one_at_a_time = inner.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        match configure(&inner.certificate, &inner.key) {
            Ok(config) => {
                *inner.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
                let file = inner.certificate.display();
                tracing::info!(target: "lameduck", "TLS: certificate read again from {file}");
                Ok(())
            }
            Err(error) => {
                tracing::error!(
                    target: "lameduck",
                    "TLS: the certificate is not replaced, the old one goes on serving: {error}"
                );
                Err(error)
            }
        }
    }

    /// What a handshake that begins now is to use.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.inner.config.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A configuration of its own for each reading, so that a session of an old certificate cannot be resumed under
/// the new one.
fn configure(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let pair = pair::read(certificate, key, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::BadCertificate {
            file: certificate.to_owned(),
            why: error.to_string(),
        })?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The files, and nothing of what they hold.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { certificate, key, .. } = &*self.inner;
        f.debug_struct("Tls")
            .field("certificate", certificate)
            .field("key", key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use lameduck_testkit::Certificate;

    use super::*;

    fn read(certificate: &Certificate) -> Result<Tls, TlsError> {
        Tls::from_pem_files(certificate.certificate(), certificate.key())
    }

    #[test]
    fn each_thing_that_can_be_wrong_has_an_error_of_its_own() {
        let other = Certificate::new();
        let own = Certificate::new();
        let wrong = |file: PathBuf, text: &str| {
            let before = fs::read(&file).unwrap();
            fs::write(&file, text).unwrap();
            let error = read(&own).unwrap_err();
            fs::write(&file, before).unwrap();
            error
        };
        let of_other = |file: PathBuf| fs::read_to_string(file).unwrap();
        let (certificate, key) = (own.certificate(), own.key());

        let mismatch = wrong(key.clone(), &of_other(other.key()));
        assert!(matches!(mismatch, TlsError::Mismatch { .. }), "{mismatch}");
        let swapped = wrong(certificate.clone(), &of_other(own.key()));
        assert!(matches!(&swapped, TlsError::NoCertificate { file } if *file == certificate));
        let swapped = wrong(key.clone(), &of_other(own.certificate()));
        assert!(matches!(&swapped, TlsError::NoKey { file } if *file == key));
        let cut_off = wrong(key.clone(), &of_other(own.key())[..60]);
        assert!(matches!(&cut_off, TlsError::Syntax { file } if *file == key), "{cut_off}");
        let no_x509 = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        let no_x509 = wrong(certificate, no_x509);
        assert!(matches!(no_x509, TlsError::BadCertificate { .. }), "{no_x509}");
        let no_key = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
        let no_key = wrong(key.clone(), no_key);
        assert!(matches!(no_key, TlsError::BadKey { .. }), "{no_key}");
        fs::remove_file(&key).unwrap();
        let missing = read(&own).unwrap_err();
        assert!(matches!(&missing, TlsError::Read { file, .. } if *file == key), "{missing}");
    }

    #[test]
    fn what_was_reloaded_is_what_every_clone_uses_and_a_failure_changes_nothing() {
        let mut files = Certificate::new();
        let tls = read(&files).unwrap();
        let clone = tls.clone();
        let first = clone.config();
        files.renew();
        tls.reload().unwrap();
        let second = clone.config();
        assert!(!Arc::ptr_eq(&first, &second));
        fs::write(files.key(), "").unwrap();
        assert!(matches!(tls.reload(), Err(TlsError::NoKey { .. })));
        assert!(Arc::ptr_eq(&second, &clone.config()));
    }

    #[test]
    fn neither_debug_nor_an_error_quotes_the_key() {
        let files = Certificate::new();
        let tls = read(&files).unwrap();
        let secret = fs::read_to_string(files.key()).unwrap();
        let line = secret.lines().nth(1).unwrap();
        assert!(format!("{tls:?}").contains("key.pem"));
        // A key without its last line, and one with a stray byte: what a parser would be tempted to show.
        let shorter = secret.replace("-----END", "");
        let stray = secret.replace(line, &format!("{line}!"));
        for text in [shorter, stray, format!("-----BEGIN {line}")] {
            fs::write(files.key(), text).unwrap();
            let error = read(&files).unwrap_err();
            let said = format!("{tls:?} {error} {error:?}");
            assert!(!said.contains(&line[..16]), "{said}");
        }
    }
}
