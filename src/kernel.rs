//! Kernel's REST API, read-only: requests under a deadline and a quota, and
//! answers turned into the [`crate::model`].
//!
//! This room knows nothing of Prometheus: what happens is told to an
//! [`Observer`]. Nothing but `GET` can be sent from here.

mod client;
mod deadline;
mod error;
mod http;
mod key;
mod observer;
mod paging;
mod rate;
mod retry;
mod wire;

pub use client::{Answer, Client, Query};
pub use deadline::Deadline;
pub use error::{Error, Problem};
pub use http::{ClientSettings, Http, HttpError};
pub use key::{Key, KeyError, Reread};
pub use observer::{NoObserver, Observer};
pub use paging::{Page, PageError, PageHeaders, next_page};
pub use rate::{Budget, RateView};
pub use wire::{Decoder, Filter, Listing, Project, Unknown};
