//! `/connection`, as far as no browser is needed.

use kernel_api_simulator::{DEFAULT_API_KEY, FaultKind, Rows, Spoil};
use serde_json::json;

use super::stage::{Front, api_of, exporter, write};
use crate::tests::common::api::Api;

/// An exporter that has seen one connection with these members.
async fn seen(members: serde_json::Value, flags: &[&str]) -> (Api, Front) {
    let api = api_of(2).await;
    api.control
        .create_connection(None, Some("ma_seen"), "bank.example", "ada")
        .unwrap();
    api.control.set_connection("ma_seen", members);
    let front = exporter(&api, flags).await;
    front.scrape().await;
    (api, front)
}

#[tokio::test]
async fn it_says_what_happened_and_what_to_do() {
    let failed = json!({
        "status": "NEEDS_AUTH", "flow_status": "FAILED", "flow_type": "LOGIN",
        "error_code": "captcha_blocked", "can_reauth": false,
        "can_reauth_reason": "no_credential",
    });
    let (api, front) = seen(failed, &[]).await;
    let asked = api.control.requests().total;
    let page = front.get("/connection?id=ma_seen").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("refresh"), "30");
    for words in [
        "<title>ada at bank.example · needs a login</title>",
        "login: failed, captcha blocked",
        "A CAPTCHA was not solved.",
        "no credential",
        "kernel auth connections update ma_seen <span class=\"option\">--proxy-id</span> &lt;proxy&gt;",
        "href=\"probe?target=ma_seen\"",
        "href=\"./\"",
    ] {
        assert!(page.text.contains(words), "{words}\n{}", page.text);
    }
    assert_eq!(api.control.requests().total, asked);
}

#[tokio::test]
async fn what_is_switched_off_is_named() {
    let off = json!({
        "status": "NEEDS_AUTH", "can_reauth": true, "can_reauth_reason": "has_credential",
        "auto_reauth": false, "health_checks": true,
    });
    let (_api, front) = seen(off, &[]).await;
    let page = front.get("/connection?id=ma_seen").await;
    for words in [
        "Unattended re-logins are off.",
        "update ma_seen <span class=\"option\">--auto-reauth</span>",
        "It could log in again by itself: has credential",
    ] {
        assert!(page.text.contains(words), "{words}\n{}", page.text);
    }
    assert!(!page.text.contains("Health checks are off."));
    let (_api, front) = seen(json!({"status": "ODD"}), &[]).await;
    let page = front.get("/connection?id=ma_seen").await;
    for words in ["KernelAuthUnknownStatus.md", "connections get ma_seen"] {
        assert!(page.text.contains(words), "{words}\n{}", page.text);
    }
}

#[tokio::test]
async fn a_login_that_waits_can_be_opened_by_a_command() {
    let waiting = json!({
        "status": "NEEDS_AUTH", "flow_status": "IN_PROGRESS", "flow_type": "LOGIN",
        "flow_step": "AWAITING_INPUT", "flow_expires_at": "2100-01-01T00:00:00Z",
    });
    let (_api, front) = seen(waiting, &[]).await;
    let page = front.get("/connection?id=ma_seen").await;
    assert!(
        page.text
            .contains("<code>kernel auth connections get ma_seen</code>")
    );
    assert!(page.text.contains("datetime=\"2100-01-01T00:00:00Z\""));
    assert!(
        page.text
            .contains("runbooks/KernelAuthFlowAwaitingHuman.md")
    );
}

#[tokio::test]
async fn a_command_names_the_project() {
    let out = json!({"status": "NEEDS_AUTH", "can_reauth": false});
    let (api, front) = seen(out, &["--kernel.project=all"]).await;
    let (project, ..) = api.control.projects()[0].clone();
    let page = front.get("/connection?id=ma_seen").await;
    let command = format!("KERNEL_PROJECT={project} kernel auth connections login ma_seen");
    assert!(page.text.contains(&command), "{}", page.text);
}

#[tokio::test]
async fn what_cannot_be_read_is_said_of_its_own_page_alone() {
    let (api, front) = seen(json!({"status": "AUTHENTICATED"}), &[]).await;
    let seen = Rows::Id("ma_seen".into());
    api.control.add_fault(FaultKind::Row(Spoil::NoId, seen));
    front.scrape().await;
    let mut rows = api.control.truth().into_iter().map(|row| row.id);
    let other = rows.find(|id| id != "ma_seen").unwrap();
    for (id, told) in [("ma_seen", true), (&*other, false)] {
        let page = front.get(&format!("/connection?id={id}")).await;
        let words = "since then the API gave rows that cannot be read";
        assert_eq!(page.text.contains(words), told, "{}", page.text);
    }
}

#[tokio::test]
async fn names_of_profiles_are_shown_as_the_metrics_show_them() {
    let (_api, front) = seen(json!({}), &["--metrics.profile-name=drop"]).await;
    let page = front.get("/connection?id=ma_seen").await;
    assert!(page.text.contains("<title>bank.example ·"));
    assert!(!page.text.contains("ada"), "{}", page.text);
}

#[tokio::test]
async fn a_profile_without_a_name_can_be_opened() {
    let api = api_of(0).await;
    let (id, blank) = (Some("ma_blank"), "  ");
    api.control
        .create_connection(None, id, "bank.example", blank)
        .unwrap();
    let front = exporter(&api, &[]).await;
    front.scrape().await;
    let fleet = front.get("/").await;
    let link = "<a href=\"connection?id=ma_blank\">no profile</a>";
    assert!(fleet.text.contains(link), "{}", fleet.text);
    let page = front.get("/connection?id=ma_blank").await;
    assert!(page.text.contains("<title>bank.example ·"), "{}", page.text);
    assert_eq!(front.get("/connection?id=").await.status, 400);
}

#[tokio::test]
async fn what_is_not_known_leads_back() {
    let api = api_of(1).await;
    let front = exporter(&api, &[]).await;
    let page = front.get("/connection?id=ma_x&refresh=0").await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("Nobody has scraped"), "{}", page.text);
    front.scrape().await;
    let page = front.get("/connection?id=%3Cb%3E%E2%80%AE&refresh=0").await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("&lt;b&gt;\\u{202e}"), "{}", page.text);
    assert!(page.text.contains("href=\"./?refresh=0\""));
    for query in ["", "?id=a&id=b", "?id=a&account=x"] {
        let answer = front.get(&format!("/connection{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn an_id_that_is_seen_twice_shows_the_choice() {
    let api = api_of(1).await;
    let id = api.control.truth()[0].id.clone();
    let place = tempfile::tempdir().unwrap();
    let (key, file) = (place.path().join("key"), place.path().join("config.yml"));
    write(&key, DEFAULT_API_KEY);
    let account = |name: &str| format!("{{name: {name}, api_key_file: {}}}", key.display());
    let accounts = format!("accounts: [{}, {}]\n", account("blue"), account("green"));
    write(&file, &accounts);
    let front = exporter(&api, &[&format!("--config.file={}", file.display())]).await;
    front.scrape().await;
    let page = front.get(&format!("/connection?id={id}")).await;
    assert!(page.text.contains("Which one?"), "{}", page.text);
    for account in ["blue", "green"] {
        let link = format!("connection?id={id}&amp;account={account}");
        assert!(page.text.contains(&link), "{}", page.text);
        let path = link
            .replace("connection", "/connection")
            .replace("amp;", "");
        let one = front.get(&path);
        assert!(one.await.text.contains("What the API said"));
    }
}
