//! The control endpoint.

use super::*;

impl Running {
    async fn command(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let request = self
            .client
            .request(method, format!("{}{path}", self.control_url));
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), parse(response).await)
    }

    async fn post(&self, path: &str, body: &str) -> Value {
        let (status, value) = self.command(Method::POST, path, body).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

#[tokio::test]
async fn commands_do_what_the_handle_does() {
    let api = with(5).await;
    let (_, world) = api.command(Method::GET, "/world", "").await;
    assert_eq!(world, serde_json::to_value(api.control.truth()).unwrap());
    let on = api.post("/faults", "status=500,times=1\nlatency=1ms").await;
    assert_eq!(on[0]["fault"], "status=500,times=1");
    assert_eq!(on[1]["fault"], "latency=1ms");
    assert_eq!(api.control.faults().len(), 2);
    assert_eq!(api.answer("/org/limits").await.status(), 500);
    api.command(Method::DELETE, "/faults", "").await;
    assert_eq!(api.control.faults().len(), 0);

    let created = api
        .post(
            "/connections",
            r#"{"id":"ma_new","domain":"x.example","status":"ODD"}"#,
        )
        .await;
    assert_eq!(created["object"]["status"], "ODD");
    api.post("/connections/ma_new", r#"{"status":"AUTHENTICATED"}"#)
        .await;
    assert_eq!(
        api.json("/auth/connections/ma_new").await["status"],
        "AUTHENTICATED"
    );
    api.post(
        "/connections/ma_new/happen",
        r#"{"event":"flow_starts","type":"REAUTH"}"#,
    )
    .await;
    api.post("/advance", "7s").await;
    api.post(
        "/connections/ma_new/happen",
        r#"{"event":"flow_ends","outcome":"FAILED","error_code":"mfa_required"}"#,
    )
    .await;
    api.post(
        "/connections/ma_new/happen",
        r#"{"event":"health_check","outcome":"NEEDS_AUTH"}"#,
    )
    .await;
    let (_, ledger) = api.command(Method::GET, "/ledger", "").await;
    assert_eq!(
        ledger["errors"],
        json!([{"type": "reauth", "error_code": "mfa_required", "count": 1}])
    );
    assert_eq!(ledger["durations"][0]["sum_seconds"], 7.0);
    let (_, events) = api
        .command(Method::GET, "/connections/ma_new/timeline", "")
        .await;
    assert_eq!(events.as_array().unwrap().len(), 2);
    api.command(Method::DELETE, "/connections/ma_new", "").await;
    assert_eq!(api.answer("/auth/connections/ma_new").await.status(), 404);

    let project = api.post("/projects", "Another").await;
    api.post("/connections", r#"{"project":"Another"}"#).await;
    api.post(
        "/keys",
        &json!({"key": "sk_p", "project": project["id"]}).to_string(),
    )
    .await;
    let own = api
        .client
        .get(format!("{}/auth/connections", api.url))
        .bearer_auth("sk_p");
    assert_eq!(
        parse(own.send().await.unwrap())
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    api.post("/key", "sk_rotated").await;
    assert_eq!(api.answer("/org/limits").await.status(), 401);
    let (_, log) = api.command(Method::GET, "/requests?entries", "").await;
    assert_eq!(log["total"], 5);
    assert_eq!(log["entries"][0]["route"], "org_limits");
}

#[tokio::test]
async fn a_wrong_command_says_what_is_wrong() {
    let api = with(1).await;
    for (path, body, status, part) in [
        ("/faults", "explode", 400, "`explode` is not a kind"),
        ("/advance", "soon", 400, "not a duration"),
        ("/connections/none", "{}", 404, "no such connection"),
        ("/connections", "[", 400, "not a JSON object"),
        ("/elsewhere", "", 404, "no such command"),
    ] {
        let (got, value) = api.command(Method::POST, path, body).await;
        assert_eq!(got, status, "{path}");
        assert!(value["error"].as_str().unwrap().contains(part), "{value}");
    }
}

#[tokio::test]
async fn the_control_endpoint_stays_on_the_loopback_interface() {
    let simulator = Simulator::bind("127.0.0.1:0", Options::default())
        .await
        .unwrap();
    let error = simulator.with_control("0.0.0.0:0").await.unwrap_err();
    assert!(error.to_string().contains("loopback"));
}
