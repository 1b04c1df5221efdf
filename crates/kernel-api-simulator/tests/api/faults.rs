//! How it fails, fault by fault.

use kernel_api_simulator::RetryAfter;

use super::*;

#[test]
fn the_documented_ones_exist() {
    let text = include_str!("../../../../docs/simulator.md");
    let (_, table) = text.split_once("| kind | |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut kinds = std::collections::HashSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split(" | ").next().unwrap();
        for spec in cell.split('`').skip(1).step_by(2) {
            let spec = spec.replace("status=N", "status=500");
            let fault: Result<Fault, String> = spec.parse();
            kinds.insert(std::mem::discriminant(&fault.expect(&spec).kind));
        }
    }
    assert_eq!(kinds.len(), 27, "every kind is in the table");
    for route in Route::ALL {
        let name = format!("`{}`", route.as_str());
        assert!(text.contains(&name), "{name}");
    }
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, millis) in [
        ("300ms", 300),
        ("1.5s", 1_500),
        ("0.5s", 500),
        ("1m30s", 90_000),
        ("1h30m", 5_400_000),
        ("1w", 604_800_000),
        ("1d12h", 129_600_000),
        ("0s", 0),
    ] {
        let latency = FaultKind::Latency(Duration::from_millis(millis));
        let fault: Result<Fault, String> = format!("latency={text}").parse();
        assert_eq!(fault.map(|fault| fault.kind), Ok(latency), "{text}");
    }
    for text in [
        "", "s", "2", "1500", "1x", "-1s", "1s2", "1..2s", "1e400d", "3651d", "1y",
    ] {
        let fault: Result<Fault, String> = format!("latency={text}").parse();
        let error = fault.expect_err(text);
        assert!(error.contains(text) && error.contains("duration") | error.contains("ten years"));
    }
}

#[test]
fn a_fault_is_read_from_its_text() {
    let text = "status=429,retry-after=date:5s,should-retry=false,endpoint=connections+timeline,skip=1,every=3,times=2";
    let fault: Fault = text.parse().unwrap();
    assert_eq!(
        fault,
        Fault {
            text: Some(text.to_owned()),
            routes: vec![Route::Connections, Route::Timeline],
            skip: 1,
            every: 3,
            times: Some(2),
            ..Fault::new(FaultKind::Status {
                status: 429,
                code: None,
                retry_after: Some(RetryAfter::Date(Duration::from_secs(5))),
                should_retry: Some(false),
            })
        }
    );
    let kind = |text: &str| text.parse().map(|fault: Fault| fault.kind);
    assert_eq!(kind("huge=2kB"), Ok(FaultKind::Huge(2000)));
    assert_eq!(kind("date-skew=-1h"), Ok(FaultKind::DateSkew(-3600)));
}

#[test]
fn a_wrong_fault_says_what_is_wrong() {
    for (text, part) in [
        ("", "not a kind of fault"),
        ("statis=503", "`statis` is not a kind"),
        ("status", "needs a value"),
        ("status=99", "not a status"),
        ("status=5x3", "not a number"),
        ("latency=soon", "not a duration"),
        (
            "stall,endpoint=everywhere",
            "`everywhere` is not an endpoint",
        ),
        ("stall,code=x", "`code` does not go with it"),
        ("huge=9XB", "not a size"),
    ] {
        let error = text.parse::<Fault>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[tokio::test]
async fn statuses_come_as_often_as_asked_for() {
    let api = with(3).await;
    api.fault("status=503,endpoint=org_limits,every=3");
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(api.answer("/org/limits").await.status().as_u16());
    }
    assert_eq!(statuses, [503, 200, 200, 503, 200]);
    assert_eq!(api.answer("/org/projects").await.status(), 200);
    api.control.clear_faults();
    api.fault("status=429,retry-after=1.5,should-retry=false,times=1");
    let response = api.answer("/org/limits").await;
    assert_eq!(header(&response, "retry-after"), "1.5");
    assert_eq!(header(&response, "x-should-retry"), "false");
    assert_eq!(error(response).await, (429, "rate_limit_exceeded".into()));
    assert_eq!(api.answer("/org/limits").await.status(), 200);
    api.fault("status=429,retry-after=date:30s");
    let response = api.answer("/org/limits").await;
    let after = httpdate::parse_http_date(header(&response, "retry-after")).unwrap();
    let now = httpdate::parse_http_date(header(&response, "date")).unwrap();
    assert_eq!(after.duration_since(now).unwrap(), Duration::from_secs(30));
    let (_, matched, fired) = api.control.faults()[0];
    assert_eq!(
        (matched, fired),
        (3, 1),
        "it was met once more than it had times"
    );
}

#[tokio::test]
async fn a_fault_can_be_narrowed_to_a_project_and_an_id() {
    let api = run(Options {
        connections: 9,
        projects: 2,
        speed: 0.0,
        ..Options::default()
    })
    .await;
    let second = api.control.projects()[1].0.clone();
    api.control.add_fault(Fault::status(500).project(&second));
    let asked = api
        .get("/auth/connections")
        .header("x-kernel-project-id", &second);
    assert_eq!(asked.send().await.unwrap().status(), 500);
    assert_eq!(api.answer("/auth/connections").await.status(), 200);
    let rows = api.json("/auth/connections").await;
    let ids: Vec<&str> = (0..2)
        .map(|row| rows[row]["id"].as_str().unwrap())
        .collect();
    api.fault(&format!("status=404,id={}", ids[0]));
    for (id, status) in ids.iter().zip([404, 200]) {
        let path = format!("/auth/connections/{id}");
        assert_eq!(api.answer(&path).await.status(), status);
    }
}

#[tokio::test]
async fn answers_stop_break_off_or_never_come() {
    let api = with(100).await;
    let page = "/auth/connections?limit=100";
    let soon = Duration::from_millis(300);
    for fault in ["silent", "stall", "stall-body"] {
        api.control.clear_faults();
        api.fault(fault);
        let asked = api.get(page).timeout(soon).send().await;
        assert_eq!(asked.is_err(), fault == "silent", "{fault}");
        if let Ok(mut response) = asked {
            let length = response.content_length().unwrap();
            let mut got = 0;
            let end = loop {
                match response.chunk().await {
                    Ok(Some(chunk)) => got += chunk.len() as u64,
                    other => break other,
                }
            };
            assert!(end.unwrap_err().is_timeout(), "{fault}");
            let half = if fault == "stall" { 0 } else { length / 2 };
            assert_eq!(got, half, "{fault}");
        }
    }
    api.control.clear_faults();
    api.fault("hang-up,times=1");
    assert!(api.answer_error("/org/limits").await.is_request());
    api.fault("reset");
    let broken = api.answer(page).await.bytes().await.unwrap_err();
    assert!(
        format!("{broken:?}").contains("ConnectionReset"),
        "{broken:?}"
    );
}

impl Running {
    async fn answer_error(&self, path: &str) -> reqwest::Error {
        self.get(path).send().await.unwrap_err()
    }
}

#[tokio::test]
async fn bodies_are_spoiled() {
    let api = with(30).await;
    let spoiled = async |fault: &str| {
        api.control.clear_faults();
        api.fault(fault);
        let response = api.answer("/auth/connections").await;
        assert_eq!(response.status(), 200);
        let kind = header(&response, "content-type").to_owned();
        (kind, response.bytes().await.unwrap())
    };
    let (_, whole) = spoiled("latency=1ms").await;
    let (_, half) = spoiled("truncate").await;
    assert_eq!(half, whole.slice(..whole.len() / 2));
    let (_, garbage) = spoiled("garbage").await;
    assert!(std::str::from_utf8(&garbage).is_err());
    let (kind, html) = spoiled("html").await;
    assert!(kind.starts_with("text/html") && html.starts_with(b"<!doctype"));
    let (_, deep) = spoiled("deep=5000").await;
    assert_eq!((deep.len(), deep[4999], deep[5000]), (10_000, b'[', b']'));
    let (_, huge) = spoiled("huge=3MB").await;
    let rows: Value = serde_json::from_slice(&huge).unwrap();
    assert_eq!(rows[0]["padding"].as_str().unwrap().len(), 3_000_000);
    assert_eq!(rows.as_array().unwrap().len(), 20);

    api.control.clear_faults();
    api.fault("endless");
    let mut response = api.answer("/auth/connections").await;
    let mut got = 0;
    while got < 2_000_000 {
        got += response
            .chunk()
            .await
            .unwrap()
            .expect("there is no end")
            .len();
    }
}

#[tokio::test]
async fn rows_are_spoiled_one_or_all() {
    let api = with(30).await;
    let id = api.control.truth()[4].id.clone();
    let rows = async |fault: &str| {
        api.control.clear_faults();
        api.fault(fault);
        api.json("/auth/connections").await
    };
    assert_eq!(rows("malformed-row").await[0]["status"], 17);
    assert_eq!(rows("malformed-row=text,row=3").await[3], "not an object");
    assert_eq!(
        rows(&format!("malformed-row=null,row={id}")).await[4],
        Value::Null
    );
    assert!(rows("malformed-row=no-id").await[0].get("id").is_none());
    assert!(
        rows("malformed-row=no-status").await[0]
            .get("status")
            .is_none()
    );
    let unknown = rows("unknown-values,row=all").await;
    for row in unknown.as_array().unwrap() {
        assert_eq!(row["status"], "HALF_AUTHENTICATED");
    }
    let single = api.json(&format!("/auth/connections/{id}")).await;
    assert_eq!(single["flow_status"], "PAUSED");
}

#[tokio::test]
async fn headers_lie_or_are_missing() {
    let api = with(3).await;
    let date = |response: &Response| httpdate::parse_http_date(header(response, "date"));
    let honest = date(&api.answer("/org/limits").await).unwrap();
    api.fault("date-skew=-1h");
    let early = date(&api.answer("/org/limits").await).unwrap();
    assert_eq!(
        honest.duration_since(early).unwrap(),
        Duration::from_hours(1)
    );
    api.control.clear_faults();
    api.fault("without-header=X-Has-More");
    api.fault("without-header=date");
    api.fault("header=x-next-offset:soon");
    let response = api.answer("/auth/connections").await;
    assert_eq!(header(&response, "x-has-more"), "");
    assert_eq!(header(&response, "date"), "");
    assert_eq!(header(&response, "x-next-offset"), "soon");
    api.fault("redirect=http://elsewhere.example/");
    let response = api.answer("/auth/connections").await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(header(&response, "location"), "http://elsewhere.example/");
}

#[tokio::test]
async fn pages_play_tricks() {
    let api = with(250).await;
    let truth: Vec<String> = api.control.truth().into_iter().map(|t| t.id).collect();
    let list = "/auth/connections?";
    for fault in [
        "page-cap=50",
        "page-cap=30,skip=1",
        "empty-page=100",
        "empty-page=150",
    ] {
        api.control.clear_faults();
        api.fault(fault);
        assert_eq!(api.walk(list, 100).await, truth, "{fault}");
    }
    api.control.clear_faults();
    api.fault("duplicate-rows=3");
    let walked = api.walk(list, 100).await;
    assert!(walked.len() > 250);
    assert_eq!(BTreeSet::from_iter(walked), truth.iter().cloned().collect());

    let next = async |fault: FaultKind, offset: usize| {
        api.control.clear_faults();
        api.control.add_fault(fault);
        let response = api
            .answer(&format!("{list}limit=100&offset={offset}"))
            .await;
        assert_eq!(header(&response, "x-has-more"), "true");
        header(&response, "x-next-offset").to_owned()
    };
    assert_eq!(next(FaultKind::MoreWithoutOffset, 0).await, "");
    assert_eq!(next(FaultKind::MoreWithZero, 100).await, "0");
    assert_eq!(next(FaultKind::Circle, 200).await, "100");
    assert_eq!(next(FaultKind::StuckOffset, 100).await, "100");
}

#[tokio::test]
async fn rows_shift_while_paging() {
    let api = with(250).await;
    let truth: Vec<String> = api.control.truth().into_iter().map(|t| t.id).collect();
    api.fault("delete-rows=1");
    let walked = api.walk("/auth/connections?", 100).await;
    // Each deletion before a page pulls one row over its edge.
    assert!(!walked.contains(&truth[100]) && !walked.contains(&truth[201]));
    assert!(
        api.control.connection(&truth[100]).is_some(),
        "it is still there"
    );
    assert!(
        api.control.connection(&truth[0]).is_none(),
        "this one was deleted"
    );
    api.control.clear_faults();
    api.fault("insert-rows=2");
    let walked = api.walk("/auth/connections?", 100).await;
    let unique: BTreeSet<&String> = walked.iter().collect();
    assert_eq!(
        walked.len() - unique.len(),
        4,
        "rows pushed over an edge come twice"
    );
}
