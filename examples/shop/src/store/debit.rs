//! The first step of a purchase: the intent and the debit.

use super::{Order, Purchase, Store, StoreError, Writing, random_id};
use crate::catalogue;

/// How far a purchase has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The wallet is debited, the item still to be recorded.
    Debited(Purchase),
    /// The item is recorded: nothing is left to do.
    Recorded(Purchase),
}

impl Store {
    /// Writes the intent and debits the wallet, in one transaction, once per id.
    ///
    /// An order whose id is known is not debited again: it comes back as far as it has come, and one that was refused
    /// is refused again.
    pub async fn debit(&self, order: &Order) -> Result<Progress, StoreError> {
        let item = catalogue::find(&order.item)
            .ok_or_else(|| StoreError::UnknownItem(order.item.clone()))?;
        let purchase = Purchase {
            id: match &order.id {
                Some(id) => id.clone(),
                None => random_id()?,
            },
            owner: order.owner.clone(),
            item: item.name.to_owned(),
            price: item.price,
        };
        StoreError::unless_usable(&purchase.owner)?;
        StoreError::unless_usable(&purchase.id)?;
        let mut writing = self.write().await?;
        writing.expect_wallet(&purchase.owner).await?;
        if !writing.intend(&purchase, &self.process.to_string()).await? {
            return writing.known(&purchase).await;
        }
        let paid = writing.pay(&purchase).await?;
        writing.commit().await?;
        if paid { Ok(Progress::Debited(purchase)) } else { Err(refusal(&purchase)) }
    }
}

impl Writing {
    async fn expect_wallet(&mut self, owner: &str) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM wallets WHERE owner = $1")
            .bind(owner)
            .fetch_optional(&mut *self.transaction)
            .await?
            .map(drop)
            .ok_or_else(|| StoreError::UnknownWallet(owner.to_owned()))
    }

    /// Writes the intent, and says whether its id is new. Of two transactions with one id the second waits here for
    /// the first.
    async fn intend(&mut self, purchase: &Purchase, process: &str) -> Result<bool, StoreError> {
        let written = sqlx::query(
            "INSERT INTO intents (id, owner, item, price, process, refused) VALUES ($1, $2, $3, $4, $5, 0)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&purchase.id)
        .bind(&purchase.owner)
        .bind(&purchase.item)
        .bind(purchase.price.0)
        .bind(process)
        .execute(&mut *self.transaction)
        .await?;
        Ok(written.rows_affected() == 1)
    }

    /// What the earlier order with this id came to.
    async fn known(&mut self, wanted: &Purchase) -> Result<Progress, StoreError> {
        let (owner, item, price, refused, recorded): (String, String, i64, i64, i64) =
            sqlx::query_as(
                "SELECT owner, item, price, refused, (SELECT count(*) FROM purchases WHERE purchases.id = intents.id)
                 FROM intents WHERE id = $1",
            )
            .bind(&wanted.id)
            .fetch_one(&mut *self.transaction)
            .await?;
        let purchase = Purchase::from((wanted.id.clone(), owner, item, price));
        if purchase.owner != wanted.owner || purchase.item != wanted.item {
            Err(StoreError::IdTaken(purchase.id))
        } else if refused != 0 {
            Err(refusal(&purchase))
        } else if recorded != 0 {
            Ok(Progress::Recorded(purchase))
        } else {
            Ok(Progress::Debited(purchase))
        }
    }

    /// Takes the price if the wallet holds it, and says whether it did; if not, the intent is refused for good.
    async fn pay(&mut self, purchase: &Purchase) -> Result<bool, StoreError> {
        let connection = &mut *self.transaction;
        let taken = sqlx::query(
            "UPDATE wallets SET balance = balance - $1 WHERE owner = $2 AND balance >= $1",
        )
        .bind(purchase.price.0)
        .bind(&purchase.owner)
        .execute(&mut *connection)
        .await?;
        let paid = taken.rows_affected() == 1;
        let outcome = if paid {
            sqlx::query("INSERT INTO debits (id, owner, amount) VALUES ($1, $2, $3)")
                .bind(&purchase.id)
                .bind(&purchase.owner)
                .bind(purchase.price.0)
        } else {
            sqlx::query("UPDATE intents SET refused = 1 WHERE id = $1").bind(&purchase.id)
        };
        outcome.execute(&mut *connection).await?;
        Ok(paid)
    }
}

fn refusal(Purchase { owner, item, price, .. }: &Purchase) -> StoreError {
    StoreError::InsufficientFunds { owner: owner.clone(), item: item.clone(), price: *price }
}
