//! What the shop sells.

use serde::Serialize;

use crate::money::Cents;

/// One thing for sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What a purchase calls it.
    pub name: &'static str,
    /// What it costs, in cents.
    pub price: Cents,
}

/// Everything for sale, the cheapest first.
pub const ITEMS: [Item; 6] = [
    Item { name: "coffee", price: Cents(350) },
    Item { name: "sandwich", price: Cents(720) },
    Item { name: "notebook", price: Cents(1_290) },
    Item { name: "umbrella", price: Cents(2_400) },
    Item { name: "lamp", price: Cents(5_900) },
    Item { name: "bicycle", price: Cents(48_000) },
];

/// The item of that name.
pub fn find(name: &str) -> Option<Item> {
    ITEMS.into_iter().find(|item| item.name == name)
}
