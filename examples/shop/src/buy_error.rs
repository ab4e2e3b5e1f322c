//! Why a purchase did not come about.

use crate::payments::PaymentError;
use crate::store::StoreError;

/// A refusal, or a failure of what a purchase needs.
#[derive(Debug, thiserror::Error)]
pub enum BuyError {
    /// The store refused it, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The wallet is debited, but the payment did not come about before the item was recorded.
    #[error(
        "the wallet is debited, the item not yet recorded: repeat the order with the id {id:?}, or wait for the next \
         start of the shop ({source})"
    )]
    Unpaid {
        /// The purchase's id.
        id: String,
        /// What failed.
        source: PaymentError,
    },
}

impl BuyError {
    /// Whether the order or its payment is refused, and will be whenever it is repeated: not a failure of anything.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Store(failure) => match failure {
                StoreError::UnknownWallet(_)
                | StoreError::WalletExists(_)
                | StoreError::UnknownItem(_)
                | StoreError::InsufficientFunds { .. }
                | StoreError::Unusable(_)
                | StoreError::IdTaken(_) => true,
                StoreError::Unrecorded { .. } | StoreError::Database(_) => false,
            },
            Self::Unpaid { source, .. } => matches!(source, PaymentError::Refused { .. }),
        }
    }
}
