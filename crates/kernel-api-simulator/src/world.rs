//! The fleet's state: projects, connections, and the time that moves them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::cast::{Birth, Names, cast, newborn};
use super::chance::Chance;
use super::clock::{Clock, DAY, Micros, NEVER};
use super::connection::{Connection, Due, Overlay};
use super::ledger::{Ledger, LedgerCount, SLOTS, Totals};
use super::lifecycle::Surroundings;
use super::render;

/// A project of the organisation.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) archived: bool,
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
    /// Indices of its connections, in the order of the list.
    pub(crate) rows: Vec<usize>,
}

/// What narrows a list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) domain: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) query: Option<String>,
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.domain.is_none() && self.profile.is_none() && self.query.is_none()
    }

    fn takes(&self, connection: &Connection) -> bool {
        let equal = |wanted: &Option<String>, value: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == value)
        };
        equal(&self.domain, &connection.domain)
            && equal(&self.profile, &connection.profile)
            && self.query.as_deref().is_none_or(|query| {
                [&connection.id, &connection.domain, &connection.profile]
                    .iter()
                    .any(|text| text.contains(query))
            })
    }
}

/// What a fleet is made from.
pub(crate) struct Seeding {
    pub(crate) connections: usize,
    pub(crate) seed: u64,
    pub(crate) projects: usize,
    pub(crate) start: SystemTime,
    pub(crate) speed: f64,
    pub(crate) fixtures: Option<Vec<String>>,
}

/// The fleet and its time.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) started: Micros,
    pub(crate) seed: u64,
    pub(crate) projects: Vec<Project>,
    connections: Vec<Connection>,
    ids: HashMap<Arc<str>, usize>,
    agenda: BinaryHeap<Reverse<(Micros, usize)>>,
    totals: Totals,
    history_limit: usize,
}

const PROJECT_NAMES: &[&str] = &[
    "Default",
    "Staging",
    "Customer Europe",
    "Research",
    "Partners",
];

/// Events kept over the whole fleet, so that memory stays bounded.
const HISTORY_BUDGET: usize = 2_000_000;

impl World {
    pub(crate) fn new(seeding: Seeding) -> Self {
        let clock = Clock::new(seeding.start, seeding.speed);
        let now = clock.now();
        let count = seeding.connections.max(1);
        let mut world = Self {
            clock,
            started: now,
            seed: seeding.seed,
            projects: Vec::new(),
            connections: Vec::with_capacity(seeding.connections),
            ids: HashMap::with_capacity(seeding.connections),
            agenda: BinaryHeap::with_capacity(seeding.connections),
            totals: Totals::default(),
            history_limit: (HISTORY_BUDGET / count).clamp(25, 1000),
        };
        let active = seeding.projects.max(1);
        for index in 0..active {
            let name = PROJECT_NAMES
                .get(index)
                .map_or_else(|| format!("Project {index}"), |name| (*name).to_owned());
            world.add_project(name, now - 200 * DAY);
        }
        if active > 1 {
            let index = world.add_project("Old pilot".to_owned(), now - 400 * DAY);
            world.projects[index].archived = true;
        }
        if let Some(fixtures) = seeding.fixtures {
            for text in fixtures {
                world.add_fixture(&text);
            }
            return world;
        }
        let names = Names::new(seeding.connections);
        for index in 0..seeding.connections {
            let (domain, profile) = names.of(index);
            let connection = cast(Birth {
                index,
                seed: seeding.seed,
                now,
                project: index % active,
                domain,
                profile,
            });
            let project = connection.project;
            let index = world.add(connection);
            world.projects[project].rows.push(index);
        }
        world
    }

    fn add(&mut self, connection: Connection) -> usize {
        let index = self.connections.len();
        self.ids.insert(Arc::clone(&connection.id), index);
        self.connections.push(connection);
        self.reschedule(index);
        index
    }

    /// Serves `text` as it is; what can be read of it serves for filters.
    fn add_fixture(&mut self, text: &str) {
        let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let word = |name: &str| value.get(name).and_then(Value::as_str);
        let index = self.connections.len();
        let mut connection = newborn(
            Birth {
                index,
                seed: self.seed,
                now: self.started,
                project: 0,
                domain: word("domain").unwrap_or_default().into(),
                profile: word("profile_name").unwrap_or_default().into(),
            },
            word("id").map(Into::into),
        );
        connection.overlay = Overlay::Verbatim(text.trim().into());
        let index = self.add(connection);
        self.projects[0].rows.push(index);
    }

    /// Adds an active project.
    pub(crate) fn add_project(&mut self, name: String, created: Micros) -> usize {
        let index = self.projects.len();
        let id = format!(
            "proj_{}",
            Chance::new(self.seed ^ 0x7072_6f6a, index as u64).name(20)
        );
        self.projects.push(Project {
            id,
            name,
            archived: false,
            created,
            updated: created,
            rows: Vec::new(),
        });
        index
    }

    fn reschedule(&mut self, index: usize) {
        let due = self.connections[index].due.next();
        if due != NEVER {
            self.agenda.push(Reverse((due, index)));
        }
    }

    /// Lets everything happen that is due by now. Returns the time.
    pub(crate) fn catch_up(&mut self) -> Micros {
        let now = self.clock.now();
        while let Some(Reverse((due, index))) = self.agenda.peek().copied() {
            if due > now {
                break;
            }
            self.agenda.pop();
            let connection = &mut self.connections[index];
            // An entry of a plan that has changed since; the new one is behind.
            if connection.gone || connection.due.next() != due {
                continue;
            }
            let mut around = Surroundings {
                totals: &mut self.totals,
                history_limit: self.history_limit,
            };
            connection.step(&mut around);
            self.reschedule(index);
        }
        now
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.catch_up();
    }

    /// A project by its id or name.
    pub(crate) fn find_project(&self, name: &str) -> Option<usize> {
        let mut projects = self.projects.iter();
        projects.position(|project| project.id == name || project.name == name)
    }

    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    pub(crate) fn connection(&self, index: usize) -> &Connection {
        &self.connections[index]
    }

    /// Those that are not gone, in the order of the lists.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Connection> {
        self.projects
            .iter()
            .flat_map(|project| &project.rows)
            .map(|index| &self.connections[*index])
    }

    /// Changes one connection by hand, at the present time.
    pub(crate) fn change<T>(
        &mut self,
        index: usize,
        how: impl FnOnce(&mut Connection, Micros, &mut Surroundings<'_>) -> T,
    ) -> T {
        let now = self.catch_up();
        let mut around = Surroundings {
            totals: &mut self.totals,
            history_limit: self.history_limit,
        };
        let done = how(&mut self.connections[index], now, &mut around);
        self.reschedule(index);
        done
    }

    /// Sets members of one connection's object, over whatever happens to it.
    pub(crate) fn overlay(&mut self, index: usize, members: Map<String, Value>) {
        let overlay = &mut self.connections[index].overlay;
        if let Overlay::Members(old) = overlay {
            old.extend(members);
        } else {
            *overlay = Overlay::Members(members);
        }
    }

    /// Drops what [`Self::overlay`] has set.
    pub(crate) fn uncover(&mut self, index: usize) {
        self.connections[index].overlay = Overlay::None;
    }

    /// Creates a connection, at the front of its project's list.
    pub(crate) fn create(
        &mut self,
        project: usize,
        id: Option<&str>,
        domain: &str,
        profile: &str,
    ) -> Option<usize> {
        if id.is_some_and(|id| self.ids.contains_key(id)) {
            return None;
        }
        let connection = newborn(
            Birth {
                index: self.connections.len(),
                seed: self.seed,
                now: self.clock.now(),
                project,
                domain: domain.into(),
                profile: profile.into(),
            },
            id.map(Into::into),
        );
        let index = self.add(connection);
        self.projects[project].rows.insert(0, index);
        Some(index)
    }

    /// Deletes a connection: its rows are gone, its ledger stays.
    pub(crate) fn remove(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.gone = true;
        connection.due = Due::NOTHING;
        let project = connection.project;
        self.ids.remove(&connection.id);
        self.projects[project].rows.retain(|row| *row != index);
    }

    /// How many rows a list has.
    pub(crate) fn count(&self, project: usize, filter: &Filter) -> usize {
        let rows = &self.projects[project].rows;
        if filter.is_empty() {
            return rows.len();
        }
        rows.iter()
            .filter(|index| filter.takes(&self.connections[**index]))
            .count()
    }

    /// Appends rows of a list, with commas between.
    pub(crate) fn write_rows(
        &self,
        out: &mut String,
        project: usize,
        filter: &Filter,
        offset: usize,
        limit: usize,
    ) {
        let all = filter.is_empty();
        let rows = self.projects[project].rows.iter();
        let rows = rows.map(|index| &self.connections[*index]);
        let rows = rows.filter(|connection| all || filter.takes(connection));
        for (position, connection) in rows.skip(offset).take(limit).enumerate() {
            if position > 0 {
                out.push(',');
            }
            render::connection(out, connection);
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let mut counts = Vec::new();
        for connection in &self.connections {
            for ((kind, outcome), count) in SLOTS.iter().zip(connection.tally) {
                if count > 0 {
                    counts.push(LedgerCount {
                        id: connection.id.to_string(),
                        kind: *kind,
                        outcome: *outcome,
                        count: u64::from(count),
                    });
                }
            }
        }
        Ledger {
            counts,
            errors: self.totals.errors(),
            durations: self.totals.durations(),
        }
    }
}
