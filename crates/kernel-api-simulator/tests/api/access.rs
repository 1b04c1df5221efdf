//! Who may ask for what, and how often.

use super::*;

#[tokio::test]
async fn keys_open_what_they_may() {
    let api = run(Options {
        connections: 30,
        projects: 2,
        speed: 0.0,
        ..Options::default()
    })
    .await;
    let projects = api.control.projects();
    let (default, second) = (projects[0].0.clone(), projects[1].0.clone());
    api.control
        .add_api_key("sk_second", KeyScope::Project(second.clone()));
    api.control.add_api_key("sk_policy", KeyScope::Policy);
    let ask = |key: &str, project: Option<&str>| {
        let mut request = api
            .client
            .get(format!("{}/auth/connections", api.url))
            .bearer_auth(key);
        if let Some(project) = project {
            request = request.header("x-kernel-project-id", project);
        }
        async { request.send().await.unwrap() }
    };
    let bare = api
        .client
        .get(format!("{}/auth/connections", api.url))
        .send()
        .await
        .unwrap();
    assert_eq!(error(bare).await, (401, "unauthorized".into()));
    assert_eq!(error(ask("sk_wrong", None).await).await.0, 401);
    assert_eq!(
        error(ask("sk_policy", None).await).await,
        (403, "insufficient_scope".into())
    );
    assert_eq!(error(ask("sk_second", Some(&default)).await).await.0, 403);
    let own = parse(ask("sk_second", None).await).await;
    assert_eq!(own, parse(ask("sk_demo", Some(&second)).await).await);
    assert_ne!(own, parse(ask("sk_demo", None).await).await);

    api.control.set_api_key("sk_fresh");
    assert_eq!(ask("sk_demo", None).await.status(), 401);
    assert_eq!(ask("sk_fresh", None).await.status(), 200);
    assert!(
        api.control
            .requests()
            .entries
            .iter()
            .all(|entry| entry.header("authorization") != Some("Bearer sk_fresh")),
        "the log keeps no key"
    );
}

#[tokio::test]
async fn project_headers_choose_one_project() {
    let api = run(Options {
        connections: 31,
        projects: 3,
        speed: 0.0,
        ..Options::default()
    })
    .await;
    let projects = api.json("/org/projects").await;
    let rows = projects.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let archived: Vec<&Value> = rows
        .iter()
        .filter(|row| row["status"] == "archived")
        .collect();
    assert_eq!(archived.len(), 1);
    let ask = |header: &'static str, value: &str| {
        let request = api.get("/auth/connections?limit=100").header(header, value);
        async { request.send().await.unwrap() }
    };
    let mut seen = BTreeSet::new();
    for row in rows.iter().filter(|row| row["status"] == "active") {
        let (id, name) = (row["id"].as_str().unwrap(), row["name"].as_str().unwrap());
        let by_id = parse(ask("x-kernel-project-id", id).await).await;
        assert_eq!(by_id, parse(ask("x-kernel-project", name).await).await);
        assert_eq!(by_id, parse(ask("x-kernel-project", id).await).await);
        assert_eq!(ask("x-kernel-project-id", name).await.status(), 404);
        for connection in by_id.as_array().unwrap() {
            assert!(seen.insert(connection["id"].as_str().unwrap().to_owned()));
        }
        let single = api.json(&format!("/org/projects/{name}")).await;
        assert_eq!(&single, row);
    }
    assert_eq!(seen.len(), 31);
    for unknown in ["proj_unknown", archived[0]["id"].as_str().unwrap()] {
        let refused = ask("x-kernel-project-id", unknown).await;
        assert_eq!(error(refused).await, (404, "project_not_found".into()));
    }
    let default = rows[0]["id"].as_str().unwrap();
    let plain = api.json("/auth/connections?limit=100").await;
    assert_eq!(
        plain,
        parse(ask("x-kernel-project-id", default).await).await
    );
    // A connection of another project is not found.
    let other = api
        .control
        .truth()
        .into_iter()
        .find(|t| t.project != default)
        .unwrap();
    let path = format!("/auth/connections/{}", other.id);
    assert_eq!(error(api.answer(&path).await).await.0, 404);

    let limits = api.json("/org/limits").await;
    assert_eq!(limits["auth_connections_used"], 31);
    assert!(api.control.archive_project(default, true));
    assert_eq!(api.answer("/auth/connections").await.status(), 404);
}

#[tokio::test]
async fn anything_but_get_is_refused_and_counted() {
    let api = with(3).await;
    let id = &api.control.truth()[0].id;
    for method in [Method::POST, Method::PATCH, Method::DELETE, Method::HEAD] {
        let path = format!("{}/auth/connections/{id}", api.url);
        let request = api
            .client
            .request(method.clone(), path)
            .bearer_auth("sk_demo");
        assert_eq!(request.send().await.unwrap().status(), 405, "{method}");
    }
    api.answer("/auth/connections?limit=5").await;
    assert_eq!(
        error(api.answer("/auth/unknown").await).await,
        (404, "not_found".into())
    );
    let log = api.control.requests();
    assert_eq!((log.total, log.non_get), (6, 4));
    assert_eq!(log.count(Route::Connection), 4);
    assert_eq!(log.count_status(Route::Connection, 405), 4);
    assert_eq!(log.count_status(Route::Connections, 200), 1);
    assert_eq!(log.entries[4].parameter("limit").as_deref(), Some("5"));
    assert!(log.entries[4].authorized);
    api.control.reset_requests();
    assert_eq!(api.control.requests().total, 0);
}

#[tokio::test]
async fn the_rate_limit_is_published_and_kept() {
    let api = run(Options {
        rate_limit: Some(3),
        ..Options::default()
    })
    .await;
    for remaining in ["2", "1", "0"] {
        let response = api.answer("/org/limits").await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ratelimit-limit"), "3");
        assert_eq!(header(&response, "x-ratelimit-remaining"), remaining);
    }
    let refused = api.answer("/auth/connections").await;
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait));
    assert_eq!(header(&refused, "x-ratelimit-remaining"), "0");
    assert_eq!(error(refused).await, (429, "rate_limit_exceeded".into()));
    api.control.set_rate_limit(None);
    let free = api.answer("/org/limits").await;
    assert_eq!(
        (free.status().as_u16(), header(&free, "x-ratelimit-limit")),
        (200, "")
    );
}
