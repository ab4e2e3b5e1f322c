//! Why the store did not do what it was asked.

use crate::money::Cents;

/// A refusal, or a failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody of that name has a wallet.
    #[error("{0:?} has no wallet; create it by POST /wallets")]
    UnknownWallet(String),
    /// Somebody of that name already has a wallet.
    #[error("{0:?} already has a wallet")]
    WalletExists(String),
    /// The shop doesn't sell that.
    #[error("there is no item {0:?}; GET /items lists them")]
    UnknownItem(String),
    /// The wallet held less than the price.
    #[error("insufficient funds: {owner:?} could not pay {price} for {item:?}")]
    InsufficientFunds {
        /// Whose wallet.
        owner: String,
        /// For what.
        item: String,
        /// How much was asked.
        price: Cents,
    },
    /// A name or an id that not every database can keep.
    #[error("{0:?} holds a NUL character, which no name and no id may have")]
    Unusable(String),
    /// The id was used for another owner or item.
    #[error("the id {0:?} belongs to another purchase")]
    IdTaken(String),
    /// The wallet is debited, but the database failed before the item was recorded.
    #[error(
        "the wallet is debited, the item not yet recorded: repeat the order with the id {id:?}, or wait for the next \
         start of the shop ({source})"
    )]
    Unrecorded {
        /// The purchase's id.
        id: String,
        /// What failed.
        source: sqlx::Error,
    },
    /// The database failed, or stayed busy for too long: nothing was changed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Refuses what PostgreSQL cannot keep as text.
    pub(super) fn unless_usable(text: &str) -> Result<(), Self> {
        if text.contains('\0') { Err(Self::Unusable(text.to_owned())) } else { Ok(()) }
    }

    /// Whether the same may succeed a moment later.
    pub fn is_busy(&self) -> bool {
        let Self::Database(error) = self else { return false };
        super::dialect::is_busy(error)
    }
}
