//! `/sd`: Prometheus' HTTP service discovery, one target for each connection.
//!
//! Prometheus keeps the targets it has when an answer is not 200, and drops
//! what is missing from one that is. So an answer is whole, or it is 503.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::exposition::Text;
use crate::model::{Connection, ErrorReason, Fleet, Scope, ScopeView, Timestamp};

/// Up to this age a snapshot is good enough: Prometheus asks once a minute.
const FRESH: Duration = Duration::from_mins(1);

/// Whether `fleet` can be answered with as it is; `cache` is how old scrapes
/// may be.
pub(super) fn is_fresh(fleet: &Fleet, now: Timestamp, cache: Duration) -> bool {
    let oldest = FRESH.max(cache).as_secs_f64();
    !fleet.scopes.is_empty()
        && fleet.scopes.iter().all(|view| {
            let age = view
                .snapshot
                .as_ref()
                .map(|snapshot| now.seconds_since(snapshot.fetched_at));
            view.is_up() && age.is_some_and(|age| (0.0..=oldest).contains(&age))
        })
}

/// Whether there is something to say of each scope, new or held, and of each
/// configured connection, unless it is known not to be there: a project that the
/// API says is not there has none.
pub(super) fn is_known(fleet: &Fleet) -> bool {
    let is_gone = |view: &ScopeView| {
        let reason = view.failure.as_ref().map(|failure| failure.reason);
        // Without a project, it is the list of them that says so.
        view.scope.project().is_some() && reason == Some(ErrorReason::ProjectNotFound)
    };
    let is_all_gone = !fleet.scopes.is_empty() && fleet.scopes.iter().all(is_gone);
    let mut there = fleet.scopes.iter().filter(|view| !is_gone(view));
    !is_all_gone
        && there.all(|view| {
            view.snapshot.as_ref().is_some_and(|snapshot| {
                let mut there = snapshot.found.iter().filter(|(_, found)| **found);
                snapshot.unanswered == 0 && there.all(|(id, _)| snapshot.find(id).is_some())
            })
        })
}

/// What is said while not all connections are known.
pub(super) const UNKNOWN: &str = "not all connections are known: the API has not answered fully; see \
                                  the log and kernel_auth_up";

/// The list of targets, written as it is read.
pub(super) struct Targets {
    fleet: Fleet,
    scope: usize,
    connection: usize,
    begun: bool,
}

impl Targets {
    pub(super) fn new(fleet: Fleet) -> Self {
        Self {
            fleet,
            scope: 0,
            connection: 0,
            begun: false,
        }
    }
}

impl Text for Targets {
    fn fill(&mut self, out: &mut Vec<u8>, limit: usize) -> bool {
        while let Some(view) = self.fleet.scopes.get(self.scope) {
            let rows = view.snapshot.iter().flat_map(|held| &held.connections);
            for connection in rows.skip(self.connection) {
                out.extend_from_slice(if self.begun { b",\n" } else { b"[\n" });
                self.begun = true;
                group(out, &view.scope, connection);
                self.connection += 1;
                if out.len() >= limit {
                    return false;
                }
            }
            self.scope += 1;
            self.connection = 0;
        }
        out.extend_from_slice(if self.begun { b"\n]\n" } else { b"[]\n" });
        true
    }
}

fn group(out: &mut Vec<u8>, scope: &Scope, connection: &Connection) {
    let names = &connection.labels;
    let mut labels = Map::new();
    let mut put = |name: &str, value: &str| {
        labels.insert(format!("__meta_kernel_{name}"), Value::from(value));
    };
    if let Some(account) = scope.account() {
        put("account", account);
    }
    if let Some(project) = scope.project() {
        put("project", project);
    }
    put("domain", &names.domain());
    if let Some(profile) = names.profile_name() {
        put("profile_name", &profile);
    }
    let group = serde_json::json!({"targets": [names.id()], "labels": labels});
    serde_json::to_writer(out, &group).expect("a Vec takes everything, and keys are text");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use super::*;
    use crate::exposition::{CHUNK_BYTES, Chunks};
    use crate::model::{Failure, ScopeView, Snapshot};
    use crate::tests::exposition::fixture::sparse;

    fn view(scope: Scope, rows: &[(&str, Option<&str>)], at: Option<i64>) -> ScopeView {
        let connections = rows
            .iter()
            .map(|(id, profile)| sparse(&scope, id, "d.example", *profile))
            .collect();
        let snapshot = at.map(|at| {
            Arc::new(Snapshot {
                fetched_at: Timestamp::from_seconds(at),
                connections,
                ..Snapshot::default()
            })
        });
        ScopeView {
            scope: Arc::new(scope),
            project_name: None,
            failure: None,
            snapshot,
        }
    }

    async fn text(fleet: Fleet) -> Value {
        let body = Chunks::new(Targets::new(fleet), None)
            .collect()
            .await
            .unwrap()
            .to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn one_group_for_each_connection() {
        let hostile = "a\"b\\c\n</script>\u{202e}";
        let fleet = Fleet {
            accounts: Vec::new(),
            scopes: vec![
                view(
                    Scope::new(Some("prod"), Some("proj_a")),
                    &[("ma_1", Some(hostile)), ("ma_2", None)],
                    Some(1),
                ),
                view(Scope::new(None, None), &[], Some(1)),
                view(Scope::new(None, None), &[("ma_3", Some("p"))], Some(1)),
            ],
        };
        assert_eq!(
            text(fleet).await,
            serde_json::json!([
                {"targets": ["ma_1"], "labels": {
                    "__meta_kernel_account": "prod", "__meta_kernel_project": "proj_a",
                    "__meta_kernel_domain": "d.example", "__meta_kernel_profile_name": hostile}},
                {"targets": ["ma_2"], "labels": {
                    "__meta_kernel_account": "prod", "__meta_kernel_project": "proj_a",
                    "__meta_kernel_domain": "d.example"}},
                {"targets": ["ma_3"], "labels": {
                    "__meta_kernel_domain": "d.example", "__meta_kernel_profile_name": "p"}},
            ])
        );
        assert_eq!(text(Fleet::default()).await, serde_json::json!([]));
    }

    #[tokio::test]
    async fn a_large_list_comes_in_pieces_and_is_whole() {
        let ids: Vec<String> = (0..5_000).map(|number| format!("ma_{number:05}")).collect();
        let rows: Vec<_> = ids.iter().map(|id| (id.as_str(), Some("p"))).collect();
        let fleet = Fleet {
            accounts: Vec::new(),
            scopes: vec![view(Scope::default(), &rows, Some(1))],
        };
        let mut body = Chunks::new(Targets::new(fleet.clone()), None);
        let mut pieces = 0;
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() < CHUNK_BYTES + 4096);
            pieces += 1;
        }
        assert!(pieces > 3);
        assert_eq!(text(fleet).await.as_array().unwrap().len(), ids.len());
    }

    #[test]
    fn freshness_is_that_of_the_oldest_scope() {
        let now = Timestamp::from_seconds(1_000);
        let fleet = |ages: &[Option<i64>], up: bool| Fleet {
            accounts: Vec::new(),
            scopes: ages
                .iter()
                .map(|age| ScopeView {
                    project_name: None,
                    failure: Failure::unless(up),
                    ..view(Scope::default(), &[], age.map(|age| 1_000 - age))
                })
                .collect(),
        };
        let cache = Duration::ZERO;
        assert!(is_fresh(&fleet(&[Some(0), Some(60)], true), now, cache));
        assert!(!is_fresh(&fleet(&[Some(0), Some(61)], true), now, cache));
        assert!(is_fresh(&fleet(&[Some(299)], true), now, FRESH * 5));
        assert!(!is_fresh(&fleet(&[Some(0)], false), now, cache));
        assert!(!is_fresh(&fleet(&[Some(-10)], true), now, cache));
        assert!(!is_fresh(&fleet(&[Some(0), None], true), now, cache));
        assert!(!is_fresh(&fleet(&[], true), now, cache));
        assert!(is_known(&fleet(&[Some(9_999)], false)));
        assert!(!is_known(&fleet(&[Some(0), None], true)));
    }

    #[test]
    fn a_project_may_be_gone_and_a_list_of_projects_may_not() {
        let known = |scopes| {
            is_known(&Fleet {
                scopes,
                ..Fleet::default()
            })
        };
        let gone = |project| {
            let mut gone = view(Scope::new(Some("a"), project), &[], None);
            let failure = Failure {
                reason: ErrorReason::ProjectNotFound,
                ..Failure::starting(Timestamp::from_seconds(0))
            };
            gone.failure = Some(Arc::new(failure));
            gone.snapshot = None;
            gone
        };
        let well = view(Scope::new(Some("b"), Some("p")), &[], Some(0));
        assert!(known(vec![well.clone(), gone(Some("old"))]));
        assert!(!known(vec![well, gone(None)]));
        assert!(!known(vec![gone(Some("old"))]));
    }
}
