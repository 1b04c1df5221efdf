//! Kernel's REST API, read-only: requests under a deadline and a quota, and
//! answers turned into the [`crate::model`].
//!
//! This room knows nothing of Prometheus: what happens is told to an
//! [`Observer`]. Nothing but `GET` can be sent from here.

mod client;
mod deadline;
mod error;
mod exchange;
mod http;
mod key;
mod observer;
mod paging;
mod proxy;
mod rate;
mod retry;
mod wire;

pub(crate) use client::{Client, RequestPolicy};
pub(crate) use deadline::{Attempt, Deadline};
pub(crate) use error::{Error, Problem};
pub(crate) use exchange::{Answer, Query};
pub(crate) use http::{ClientSettings, Http, HttpError};
pub(crate) use key::{Key, KeyError, Reread};
pub(crate) use observer::Observer;
pub(crate) use paging::{Page, PageHeaders, next_page};
pub(crate) use wire::org::{AuthContext, Entitlements, KeyExpiry, OrgLimits};
pub(crate) use wire::timeline::{Event, EventState, Timeline};
pub(crate) use wire::{DecodeError, Decoder, Listing, Project, Unknown};
