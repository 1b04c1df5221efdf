//! `/sd`.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, Options, Route};
use serde_json::Value;
use tokio::time::advance;

use super::stage::{Answer, api_of, exporter};
use crate::tests::common::api::{Api, world};
use crate::tests::common::clock::{StoppedClock, fast};

fn targets(answer: &Answer) -> BTreeSet<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let groups: Vec<Value> = serde_json::from_str(&answer.text).unwrap();
    let mut ids = BTreeSet::new();
    for group in groups {
        let [target] = group["targets"].as_array().unwrap().as_slice() else {
            panic!("one target each: {group}");
        };
        assert!(ids.insert(target.as_str().unwrap().to_owned()), "{group}");
    }
    ids
}

#[tokio::test]
async fn every_connection_is_a_target() {
    let api = Api::start(Options {
        projects: 2,
        ..world(230)
    })
    .await;
    let front = exporter(&api, &["--kernel.project=all"]).await;
    let answer = front.get("/sd").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let truth = api.control.truth();
    let active: BTreeSet<String> = api
        .control
        .projects()
        .into_iter()
        .filter_map(|(id, _, archived)| (!archived).then_some(id))
        .collect();
    let there: BTreeSet<String> = truth
        .iter()
        .filter(|connection| active.contains(&connection.project))
        .map(|connection| connection.id.clone())
        .collect();
    assert_eq!(targets(&answer), there);
    let groups: Vec<Value> = serde_json::from_str(&answer.text).unwrap();
    for group in &groups {
        let id = group["targets"][0].as_str().unwrap();
        let connection = api.control.connection(id).unwrap();
        let labels = &group["labels"];
        assert_eq!(labels["__meta_kernel_project"], *connection.project);
        assert_eq!(labels["__meta_kernel_domain"], connection.object["domain"]);
        assert_eq!(
            labels["__meta_kernel_profile_name"],
            connection.object["profile_name"]
        );
        assert!(labels.get("__meta_kernel_account").is_none());
    }
    let project = &truth[0].project;
    let narrowed = front.get(&format!("/sd?project={project}")).await;
    let of_it = |id: &String| api.control.connection(id).unwrap().project == *project;
    assert_eq!(
        targets(&narrowed),
        there.into_iter().filter(of_it).collect()
    );
}

#[tokio::test]
async fn a_fresh_snapshot_is_enough() {
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    front.scrape().await;
    let asked = api.control.requests().total;
    assert_eq!(targets(&front.get("/sd").await).len(), 3);
    assert_eq!(api.control.requests().total, asked);
}

#[tokio::test]
async fn after_a_failure_there_is_never_an_empty_list() {
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    api.control.add_fault(Fault::status(401));
    let answer = front.get("/sd").await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("content-type").starts_with("text/plain"));
    api.control.clear_faults();
    assert_eq!(targets(&front.get("/sd").await).len(), 3);
    // What is held is as good as what Prometheus has.
    api.control.add_fault(Fault::status(401));
    front.scrape().await;
    assert_eq!(targets(&front.get("/sd").await).len(), 3);
}

#[tokio::test]
async fn a_configured_connection_that_was_never_read_is_missed() {
    let api = api_of(3).await;
    let ids: Vec<String> = api.control.truth().into_iter().map(|row| row.id).collect();
    let flags = ids[..2]
        .iter()
        .map(|id| format!("--kernel.connection={id}"));
    let flags: Vec<String> = flags
        .chain(["--kernel.connection=ma_gone".into()])
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut fault = Fault::status(500);
    fault.id = Some(ids[0].clone());
    api.control.add_fault(fault);
    let front = exporter(&api, &flags).await;
    assert_eq!(front.get("/sd").await.status, 503);
    api.control.clear_faults();
    // Of one that does not exist the API has said so.
    assert_eq!(targets(&front.get("/sd").await).len(), 2);
}

#[tokio::test]
async fn a_place_that_is_not_configured_is_refused_everywhere() {
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    let paths = [
        "/?",
        "/metrics?",
        "/sd?",
        "/probe?target=ma_1&",
        "/connection?id=ma_1&",
    ];
    for path in paths {
        for query in ["project=proj_1", "account=other", "account=a&account=a"] {
            let answer = front.get(&format!("{path}{query}")).await;
            assert_eq!(answer.status, 400, "{path}{query}: {}", answer.text);
        }
    }
    // Until the API has listed the projects, nobody knows which there are.
    let fault = Fault::new(FaultKind::HangUp).at(Route::Projects);
    api.control.add_fault(fault);
    let front = exporter(&api, &["--kernel.project=all"]).await;
    for path in paths {
        let answer = front.get(&format!("{path}project=proj_1")).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
    }
    api.control.clear_faults();
    let known = api.control.projects().remove(0).0;
    assert_eq!(
        front.get(&format!("/metrics?project={known}")).await.status,
        200
    );
    for path in paths {
        let answer = front.get(&format!("{path}project=proj_1")).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn one_project_that_is_not_known_is_enough_to_say_nothing() {
    let api = Api::start(Options {
        projects: 2,
        ..world(10)
    })
    .await;
    let projects: BTreeSet<String> = api
        .control
        .truth()
        .into_iter()
        .map(|connection| connection.project.clone())
        .collect();
    let project = projects.first().unwrap();
    let fault = Fault::new(FaultKind::HangUp).at(Route::Connections);
    api.control.add_fault(fault.project(project));
    let front = exporter(&api, &["--kernel.project=all"]).await;
    assert_eq!(front.get("/sd").await.status, 503);
    api.control.clear_faults();
    api.control
        .add_fault(Fault::new(FaultKind::HangUp).at(Route::Projects));
    let front = exporter(&api, &["--kernel.project=all"]).await;
    assert_eq!(front.get("/sd").await.status, 503);
    api.control.clear_faults();
}

#[tokio::test]
async fn a_project_that_is_not_there_keeps_the_others_from_nothing() {
    let api = Api::start(Options {
        projects: 2,
        ..world(6)
    })
    .await;
    let (project, ..) = api.control.projects().remove(0);
    let gone = "--kernel.project=proj_gone";
    let flag = format!("--kernel.project={project}");
    let front = exporter(&api, &[&flag, gone]).await;
    let truth = api.control.truth();
    let there = truth.iter().filter(|row| row.project == project);
    let there: BTreeSet<_> = there.map(|row| row.id.clone()).collect();
    assert_eq!(targets(&front.get("/sd").await), there);
    // Of which alone nothing is known.
    let front = exporter(&api, &[gone]).await;
    assert_eq!(front.get("/sd").await.status, 503);
}

#[tokio::test]
async fn an_empty_fleet_is_an_empty_list() {
    let api = api_of(0).await;
    let front = exporter(&api, &[]).await;
    assert!(targets(&front.get("/sd").await).is_empty());
}

#[tokio::test]
async fn a_connection_that_cannot_be_read_shortens_no_list() {
    let _clock = StoppedClock::new();
    let api = api_of(3).await;
    let ids: Vec<String> = api
        .control
        .truth()
        .iter()
        .map(|row| row.id.clone())
        .collect();
    let flags = ids.iter().map(|id| format!("--kernel.connection={id}"));
    let mut flags: Vec<String> = flags.collect();
    flags.push("--kernel.hold=60s".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let front = exporter(&api, &flags).await;
    assert_eq!(targets(&fast(front.get("/sd")).await).len(), 3);
    api.control.add_fault(Fault {
        id: Some(ids[1].clone()),
        ..Fault::status(501)
    });
    for held in [true, true, false, false] {
        fast(front.scrape()).await;
        let list = fast(front.get("/sd")).await;
        assert_eq!(list.status, if held { 200 } else { 503 });
        advance(Duration::from_secs(40)).await;
    }
    // One that is gone does.
    api.control.clear_faults();
    assert!(api.control.remove_connection(&ids[1]));
    fast(front.scrape()).await;
    assert_eq!(targets(&front.get("/sd").await).len(), 2);
}
