//! Why a certificate and its key cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a certificate and its key cannot be used: which file, what is wrong with it, and what would be right.
/// Holds nothing of what the key file says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; name a PEM file that this user may read", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no PEM file, or a damaged one.
    #[error("{} is no valid PEM file: a section does not end, or is not in base64; write it anew", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
    },
    /// No certificate where one should be.
    #[error(
        "{} holds no certificate; it must hold the server's own as `-----BEGIN CERTIFICATE-----`, and those of its \
         issuers behind it",
        file.display()
    )]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// No private key where one should be.
    #[error(
        "{} holds no private key; it must hold one as `-----BEGIN PRIVATE KEY-----` (PKCS #8), `RSA PRIVATE KEY` or \
         `EC PRIVATE KEY`, without a password",
        file.display()
    )]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// A certificate that cannot be used.
    #[error("the certificate in {} cannot be used: {why}; have it issued anew, as X.509 version 3", file.display())]
    BadCertificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A key that cannot be used.
    #[error(
        "the private key in {} cannot be used; it must be ECDSA (P-256, P-384), Ed25519, or RSA of 2,048 bits or more",
        file.display()
    )]
    BadKey {
        /// The file.
        file: PathBuf,
    },
    /// The key is another certificate's.
    #[error(
        "the private key in {} does not belong to the certificate in {}; name the two that were issued together",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}
