//! Lists: their pages, filters and rows.

use super::*;

#[tokio::test]
async fn pages_lead_through_the_whole_list() {
    let api = with(250).await;
    let truth: Vec<String> = api.control.truth().into_iter().map(|t| t.id).collect();
    for limit in [1, 7, 99, 100] {
        assert_eq!(
            api.walk("/auth/connections?", limit).await,
            truth,
            "{limit}"
        );
    }
    let first = api.json("/auth/connections").await;
    assert_eq!(first.as_array().unwrap().len(), 20, "the default");
    let most = api.json("/auth/connections?limit=5000").await;
    assert_eq!(most.as_array().unwrap().len(), 100, "the maximum");
    let beyond = api.answer("/auth/connections?offset=9000").await;
    assert_eq!(header(&beyond, "x-has-more"), "false");
    assert_eq!(parse(beyond).await, json!([]));
    for wrong in ["limit=0", "limit=ten", "offset=-1"] {
        let response = api.answer(&format!("/auth/connections?{wrong}")).await;
        assert_eq!(response.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_list_and_the_single_object_are_alike() {
    let api = with(60).await;
    let list = api.json("/auth/connections?limit=100").await;
    for row in list.as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        assert_eq!(&api.json(&format!("/auth/connections/{id}")).await, row);
        assert_eq!(&api.control.connection(id).unwrap().object, row);
    }
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let api = with(120).await;
    let fleet = api.control.truth();
    let one = &fleet[17];
    let (domain, profile) = (&one.domain, &one.profile_name);
    let expected: Vec<String> = fleet
        .iter()
        .filter(|t| t.domain == *domain)
        .map(|t| t.id.clone())
        .collect();
    assert!(expected.len() > 3);
    assert_eq!(
        api.walk(&format!("/auth/connections?domain={domain}&"), 2)
            .await,
        expected
    );
    let both = format!("/auth/connections?domain={domain}&profile_name={profile}&");
    assert_eq!(api.walk(&both, 100).await, [one.id.as_str()]);
    let found = api
        .walk(&format!("/auth/connections?query={}&", &one.id[3..]), 100)
        .await;
    assert_eq!(found, [one.id.as_str()]);
    let part = &domain[..4];
    assert_eq!(
        api.walk(&format!("/auth/connections?domain={part}&"), 100)
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn timelines_have_pages_and_types() {
    let api = with(3).await;
    let id = &api.control.truth()[0].id;
    let path = format!("/auth/connections/{id}/timeline?");
    let told = api.control.timeline(id).unwrap();
    let ids: Vec<String> = told
        .iter()
        .map(|event| event.object["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.len() > 100);
    assert_eq!(api.walk(&path, 33).await, ids);
    let checks = api.walk(&format!("{path}type=health_check&"), 100).await;
    let reauths = api.walk(&format!("{path}type=reauth&"), 100).await;
    let logins = api.walk(&format!("{path}type=login&"), 100).await;
    assert!(!checks.is_empty() && !reauths.is_empty() && !logins.is_empty());
    assert_eq!(sorted([checks, reauths, logins].concat()), sorted(ids));
    assert_eq!(api.answer(&format!("{path}type=LOGIN")).await.status(), 400);
}
