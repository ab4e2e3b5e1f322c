//! A certificate and its key: two PEM files that are read together.

use std::path::Path;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use super::TlsError;

/// Reads the two files and checks that they belong together.
///
/// # Errors
/// They cannot be used; see [`TlsError`].
pub(super) fn read(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = chain(certificate)?;
    let secret = secret(key)?;
    // What rustls says of a key is not passed on: it is not ours to know that it never quotes it.
    let signing = provider
        .key_provider
        .load_private_key(secret)
        .map_err(|_| TlsError::BadKey { file: key.to_owned() })?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        // A kind of key that does not tell its public half: the handshake will show.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(error) => {
            Err(TlsError::BadCertificate { file: certificate.to_owned(), why: error.to_string() })
        }
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = text(file)?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|_| TlsError::Syntax { file: file.to_owned() })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file.to_owned() });
    }
    Ok(chain)
}

fn secret(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // The parser's errors quote the file, so they are not passed on.
    PrivateKeyDer::from_pem_slice(&text(file)?).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            TlsError::NoKey { file: file.to_owned() }
        } else {
            TlsError::Syntax { file: file.to_owned() }
        }
    })
}

fn text(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Read { file: file.to_owned(), source })
}
