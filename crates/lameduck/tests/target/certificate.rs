//! The certificate of the tests over TLS.

use std::sync::OnceLock;

use lameduck_testkit::Certificate;

/// One for the whole program, new each time that it runs.
pub(crate) fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    // Where cargo keeps what tests write: a static is never dropped, so a temporary directory would stay behind.
    CERTIFICATE.get_or_init(|| Certificate::kept_in(env!("CARGO_TARGET_TMPDIR")))
}
