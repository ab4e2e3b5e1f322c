//! What axum handlers need: the [`Lifecycle`](crate::Lifecycle) as an argument, and the route in the report.

mod extract;
mod route;

pub use self::route::{NameRoutes, Named};
