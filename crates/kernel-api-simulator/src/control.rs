//! The world's other side: what tests see and do that the API cannot.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::clock::{NEVER, micros, system_time};
use super::connection::{Ending, Outcome, Overlay};
use super::fault::Fault;
use super::keys::{Bucket, KeyScope};
use super::ledger::Ledger;
use super::lifecycle::CheckOutcome;
use super::log::RequestLog;
use super::render;
use super::script::Script;
use super::state::KeyExpiry;
use super::state::{Shared, lock};
use super::truth::{Truth, TruthEvent, truth};
use super::values::{ErrorCode, EventStatus, FlowKind, FlowStep};
use super::world::World;

/// What can be made to happen to a connection; it goes into its timeline and
/// the ledger as if it had happened by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A health check.
    Check(CheckOutcome),
    /// A flow starts; it stays where it is until more is made to happen.
    FlowStarts(FlowKind),
    /// The running flow goes on to a step.
    FlowReaches(FlowStep),
    /// The running flow ends. `FAILED` has an error code.
    FlowEnds(EventStatus, Option<ErrorCode>),
}

/// A handle on a running simulator; clones are the same handle.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
}

impl Control {
    fn touched(&self) {
        self.shared.changed.send_modify(|count| *count += 1);
    }

    /// Switches a fault on, beside those that are.
    pub fn add_fault(&self, fault: impl Into<Fault>) {
        lock(&self.shared.faults).add(fault.into());
    }

    /// Switches every fault off.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Each fault, with how many requests it matched and how many went wrong.
    pub fn faults(&self) -> Vec<(Fault, u64, u64)> {
        lock(&self.shared.faults).list()
    }

    /// What was asked.
    pub fn requests(&self) -> RequestLog {
        self.shared.log.read()
    }

    /// Forgets what was asked.
    pub fn reset_requests(&self) {
        self.shared.log.reset();
    }

    /// Waits before every answer.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.shared.latency) = latency;
    }

    /// Limits requests per minute, with a full bucket; `None` for no limit.
    pub fn set_rate_limit(&self, limit: Option<u32>) {
        *lock(&self.shared.bucket) = limit.map(Bucket::new);
    }

    /// Replaces the organisation's key; the old one is refused from now on.
    pub fn set_api_key(&self, key: &str) {
        lock(&self.shared.keys).rotate(key.to_owned());
    }

    /// Accepts another key.
    pub fn add_api_key(&self, key: &str, scope: KeyScope) {
        lock(&self.shared.keys).add(key.to_owned(), scope);
    }

    /// The world's time.
    pub fn now(&self) -> SystemTime {
        system_time(lock(&self.shared.world).clock.now())
    }

    /// Moves the world's clock forward; everything due by then happens.
    pub fn advance(&self, by: Duration) {
        lock(&self.shared.world).advance(by);
        self.touched();
    }

    /// Every connection, in the order of the lists, archived projects included.
    pub fn truth(&self) -> Vec<Truth> {
        let mut world = lock(&self.shared.world);
        world.catch_up();
        world
            .living()
            .map(|connection| truth(connection, &world.projects[connection.project].id))
            .collect()
    }

    /// One connection.
    pub fn connection(&self, id: &str) -> Option<Truth> {
        let mut world = lock(&self.shared.world);
        world.catch_up();
        let connection = world.connection(world.find(id)?);
        Some(truth(connection, &world.projects[connection.project].id))
    }

    /// A connection's timeline, newest first.
    pub fn timeline(&self, id: &str) -> Option<Vec<TruthEvent>> {
        let mut world = lock(&self.shared.world);
        let started = world.started;
        world.catch_up();
        let connection = world.connection(world.find(id)?);
        let events = connection.timeline();
        let rows = events.iter().map(|event| {
            let mut text = String::new();
            render::event(&mut text, connection, event);
            TruthEvent {
                past: event.timestamp < started,
                object: serde_json::from_str(&text).unwrap_or_default(),
            }
        });
        Some(rows.collect())
    }

    /// What ended since the start.
    pub fn ledger(&self) -> Ledger {
        let mut world = lock(&self.shared.world);
        world.catch_up();
        world.ledger()
    }

    /// Sets members of a connection's object; they stay whatever happens to it.
    /// `null` is written as `null`. `false`: there is no such connection.
    pub fn set_connection(&self, id: &str, members: Value) -> bool {
        let Value::Object(members) = members else {
            return false;
        };
        self.at(id, |world, index| world.overlay(index, members))
            .is_some()
    }

    /// Drops what [`Self::set_connection`] has set, or a fixture's text.
    pub fn unset_connection(&self, id: &str) -> bool {
        self.at(id, World::uncover).is_some()
    }

    fn at<T>(&self, id: &str, how: impl FnOnce(&mut World, usize) -> T) -> Option<T> {
        let mut world = lock(&self.shared.world);
        world.catch_up();
        let index = world.find(id)?;
        let done = how(&mut world, index);
        drop(world);
        self.touched();
        Some(done)
    }

    /// Makes something happen to a connection, now. `false`: there is no such
    /// connection.
    pub fn happen(&self, id: &str, happening: &Happening) -> bool {
        self.at(id, |world, index| {
            world.change(index, |connection, now, around| match *happening {
                Happening::Check(outcome) => connection.check(now, outcome, around),
                Happening::FlowStarts(kind) => {
                    if connection.is_busy() {
                        connection.end_flow(now, Outcome::Canceled, around);
                    }
                    let script = Script::Password;
                    let ending = Ending {
                        at: script.last(),
                        outcome: Outcome::Success,
                    };
                    let limit = around.history_limit;
                    connection.start_flow(now, kind, script, ending, false, limit);
                    connection.due.flow = NEVER;
                }
                Happening::FlowReaches(step) => {
                    if let Some(flow) = &mut connection.flow {
                        if step == FlowStep::AwaitingExternalAction {
                            flow.script = Script::Push;
                        }
                        let stage = flow.script.last_with(step);
                        connection.enter_stage(now, stage);
                        connection.due.flow = NEVER;
                    }
                }
                Happening::FlowEnds(status, code) => {
                    let outcome = match status {
                        EventStatus::Failed => {
                            Outcome::Failed(code.unwrap_or(ErrorCode::FlowFailed))
                        }
                        EventStatus::Expired => Outcome::Expired,
                        EventStatus::Canceled => Outcome::Canceled,
                        _ => Outcome::Success,
                    };
                    connection.end_flow(now, outcome, around);
                }
            });
        })
        .is_some()
    }

    /// Deletes a connection. `false`: there is no such connection.
    pub fn remove_connection(&self, id: &str) -> bool {
        self.at(id, World::remove).is_some()
    }

    /// Creates a connection at the top of a project's list (by id or name; the
    /// default one where `None`), to which nothing happens by itself. Returns
    /// its id.
    ///
    /// # Errors
    /// When there is no such project, or the id is taken.
    pub fn create_connection(
        &self,
        project: Option<&str>,
        id: Option<&str>,
        domain: &str,
        profile_name: &str,
    ) -> Result<String, String> {
        let mut world = lock(&self.shared.world);
        world.catch_up();
        let project = match project {
            Some(name) => world
                .find_project(name)
                .ok_or_else(|| format!("there is no project `{name}`"))?,
            None => 0,
        };
        let index = world
            .create(project, id, domain, profile_name)
            .ok_or("a connection with this id exists")?;
        let id = world.connection(index).id.to_string();
        drop(world);
        self.touched();
        Ok(id)
    }

    /// Serves `text` in the place of a connection's object, whatever it is.
    pub fn set_verbatim(&self, id: &str, text: &str) -> bool {
        self.at(id, |world, index| {
            world.change(index, |connection, _, _| {
                connection.overlay = Overlay::Verbatim(text.into());
            });
        })
        .is_some()
    }

    /// Ids and names of the projects, the default one first, and whether each
    /// is archived.
    pub fn projects(&self) -> Vec<(String, String, bool)> {
        let world = lock(&self.shared.world);
        let projects = world.projects.iter();
        projects
            .map(|project| (project.id.clone(), project.name.clone(), project.archived))
            .collect()
    }

    /// Adds an active project without connections. Returns its id.
    pub fn add_project(&self, name: &str) -> String {
        let mut world = lock(&self.shared.world);
        let now = world.clock.now();
        let index = world.add_project(name.to_owned(), now);
        world.projects[index].id.clone()
    }

    /// Archives a project, by id or name, or makes it active again. `false`:
    /// there is no such project.
    pub fn archive_project(&self, project: &str, archived: bool) -> bool {
        let mut world = lock(&self.shared.world);
        let now = world.clock.now();
        let Some(index) = world.find_project(project) else {
            return false;
        };
        world.projects[index].archived = archived;
        world.projects[index].updated = now;
        true
    }

    /// Sets members of `/org/limits`; `null` is written as `null`.
    pub fn set_limits(&self, members: Map<String, Value>) {
        lock(&self.shared.organization).limits.extend(members);
    }

    /// Sets members of the `plan` of `/org/entitlements`.
    pub fn set_plan(&self, members: Map<String, Value>) {
        lock(&self.shared.organization).plan.extend(members);
    }

    /// When the key in use expires, from now; `None` for never. It is accepted
    /// after that all the same.
    pub fn set_key_expiry(&self, from_now: Option<Duration>) {
        let now = lock(&self.shared.world).clock.now();
        lock(&self.shared.organization).key_expires = from_now.map_or(KeyExpiry::Never, |ahead| {
            KeyExpiry::At(now.saturating_add(micros(ahead)))
        });
    }
}
