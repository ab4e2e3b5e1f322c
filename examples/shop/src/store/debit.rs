//! The first step of a purchase: the intent and the debit.

use super::{Order, Purchase, Store, StoreError, Writing};
use crate::catalogue::{self, Item};

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
        let mut writing = self.write().await?;
        if let Some(id) = &order.id
            && let Some(progress) = writing.known(id, order).await?
        {
            return Ok(progress);
        }
        let (purchase, paid) = writing.pay(order, item, &self.process.to_string()).await?;
        writing.commit().await?;
        if paid { Ok(Progress::Debited(purchase)) } else { Err(refusal(&purchase)) }
    }
}

impl Writing {
    /// What an earlier order with this id came to.
    async fn known(&mut self, id: &str, order: &Order) -> Result<Option<Progress>, StoreError> {
        let row: Option<(String, String, i64, bool, bool)> = sqlx::query_as(
            "SELECT owner, item, price, refused, EXISTS (SELECT 1 FROM purchases WHERE purchases.id = intents.id)
             FROM intents WHERE id = ?",
        )
        .bind(id)
        .fetch_optional(&mut *self.transaction)
        .await?;
        let Some((owner, item, price, refused, recorded)) = row else { return Ok(None) };
        let purchase = Purchase::from((id.to_owned(), owner, item, price));
        if purchase.owner != order.owner || purchase.item != order.item {
            Err(StoreError::IdTaken(id.to_owned()))
        } else if refused {
            Err(refusal(&purchase))
        } else if recorded {
            Ok(Some(Progress::Recorded(purchase)))
        } else {
            Ok(Some(Progress::Debited(purchase)))
        }
    }

    /// Takes the price if the wallet holds it, writes the intent, and says whether it was paid.
    async fn pay(
        &mut self,
        order: &Order,
        item: Item,
        process: &str,
    ) -> Result<(Purchase, bool), StoreError> {
        let connection = &mut *self.transaction;
        sqlx::query("SELECT 1 FROM wallets WHERE owner = ?")
            .bind(&order.owner)
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(|| StoreError::UnknownWallet(order.owner.clone()))?;
        let paid = sqlx::query(
            "UPDATE wallets SET balance = balance - ?1 WHERE owner = ?2 AND balance >= ?1",
        )
        .bind(item.price.0)
        .bind(&order.owner)
        .execute(&mut *connection)
        .await?
        .rows_affected()
            == 1;
        let id: String = sqlx::query_scalar(
            "INSERT INTO intents (id, owner, item, price, process, refused)
             VALUES (coalesce(?, lower(hex(randomblob(16)))), ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(&order.id)
        .bind(&order.owner)
        .bind(item.name)
        .bind(item.price.0)
        .bind(process)
        .bind(!paid)
        .fetch_one(&mut *connection)
        .await?;
        if paid {
            sqlx::query("INSERT INTO debits (id, owner, amount) VALUES (?, ?, ?)")
                .bind(&id)
                .bind(&order.owner)
                .bind(item.price.0)
                .execute(&mut *connection)
                .await?;
        }
        let purchase = Purchase {
            id,
            owner: order.owner.clone(),
            item: item.name.to_owned(),
            price: item.price,
        };
        Ok((purchase, paid))
    }
}

fn refusal(Purchase { owner, item, price, .. }: &Purchase) -> StoreError {
    StoreError::InsufficientFunds { owner: owner.clone(), item: item.clone(), price: *price }
}
