//! A payment that did not come about, as far as the client knows.

/// Why there is no payment, or none that the client knows of.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The provider said no: asking again gives the same answer.
    #[error("the payment provider refused: {status} {text}")]
    Refused {
        /// Its HTTP status.
        status: u16,
        /// The beginning of what it said.
        text: String,
    },
    /// Nobody knows whether it took the money; asking again is safe.
    #[error("the payment provider did not answer: {0}")]
    Unknown(String),
}
