//! What a buyer asks for.

use serde::Deserialize;

/// A purchase that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// Whose wallet pays.
    pub owner: String,
    /// What is bought.
    pub item: String,
    /// The buyer's own id, by which the same order may be sent again without being paid twice.
    pub id: Option<String>,
}
