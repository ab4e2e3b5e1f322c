#![doc = include_str!("../README.md")]

mod budget;
#[cfg(feature = "http1")]
#[doc(hidden)]
pub mod command_support;
#[cfg(feature = "http1")]
mod connections;
mod error;
#[cfg(feature = "http1")]
pub mod http;
#[cfg(feature = "http1")]
mod inherit;
mod lifecycle;
mod order;
mod panic;
#[cfg(feature = "restart")]
mod parcel;
mod part;
mod phase;
mod report;
mod resource;
#[cfg(feature = "restart")]
mod restart;
mod service;
mod supervisor;
mod sys;
#[cfg(feature = "systemd")]
mod systemd;
mod task;
mod threads;

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "admin")]
mod metrics;

pub use self::budget::{Budget, BudgetError};
pub use self::error::Error;
#[cfg(feature = "tls")]
pub use self::http::tls::{Tls, TlsError};
pub use self::lifecycle::{Blocking, BlockingError, Lifecycle, ShieldError, Shielded, StopHandle};
pub use self::order::OrderError;
pub use self::part::Declared;
pub use self::phase::{Outcome, Phase};
pub use self::report::{
    Cause, ConnectionCounts, Panics, PartReport, PartState, PhaseTime, Report, RequestCounts,
    Stuck, StuckKind,
};
pub use self::resource::{Close, Resource};
#[cfg(feature = "http1")]
pub use self::service::Http;
pub use self::service::{Service, Setup};
pub use self::task::{
    Backoff, Closed, Consumer, OnFailure, Outcome as TaskOutcome, Queue, Timer, TrySendError,
    Worker,
};
