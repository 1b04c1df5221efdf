//! One collection at a time and for all: which requests, when, and what is
//! served while the API does not answer.
//!
//! A scrape joins the collection that is under way or starts one, waits for it
//! no longer than its own deadline, and shows what there is: fresh, or held
//! within its bound. A collection is whole or it does not count.

mod account;
mod assemble;
mod ceiling;
mod flight;
mod flows;
mod gallop;
mod gather;
mod gathered;
mod history;
mod memory;
mod missing;
mod org;
mod page;
mod plan;
mod probe;
mod probes;
mod projects;
mod request;
mod rows;
mod scope;
mod settings;
mod shared;
mod showing;
mod timeline;
mod walk;
mod watcher;

pub(crate) use self::probe::{ProbeError, Probed};
pub(crate) use self::projects::fetch as list_projects;
pub(crate) use self::request::Request;
pub(crate) use self::settings::{AccountSettings, Settings};
pub(crate) use self::watcher::{Collected, Watcher};
