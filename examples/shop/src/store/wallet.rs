//! Wallets.

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::money::Cents;

/// Somebody's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallet {
    /// Whose it is.
    pub owner: String,
    /// What is in it, in cents; never below zero.
    pub balance: Cents,
}

impl Store {
    /// Adds a wallet.
    pub async fn create_wallet(&self, wallet: &Wallet) -> Result<(), StoreError> {
        StoreError::unless_usable(&wallet.owner)?;
        let mut writing = self.write().await?;
        let created = sqlx::query(
            "INSERT INTO wallets (owner, balance) VALUES ($1, $2) ON CONFLICT (owner) DO NOTHING",
        )
        .bind(&wallet.owner)
        .bind(wallet.balance.0)
        .execute(&mut *writing.transaction)
        .await?;
        if created.rows_affected() == 0 {
            return Err(StoreError::WalletExists(wallet.owner.clone()));
        }
        Ok(writing.commit().await?)
    }

    /// The wallet of `owner`.
    pub async fn wallet(&self, owner: &str) -> Result<Wallet, StoreError> {
        StoreError::unless_usable(owner)?;
        let balance = sqlx::query_scalar("SELECT balance FROM wallets WHERE owner = $1")
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| StoreError::UnknownWallet(owner.to_owned()))?;
        Ok(Wallet { owner: owner.to_owned(), balance: Cents(balance) })
    }
}
