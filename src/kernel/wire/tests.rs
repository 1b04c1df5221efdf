use proptest::prelude::*;

use super::*;
use crate::model::*;

fn decode(body: &str) -> Listing {
    decode_with(body, &Selection::default(), ProfileNameMode::Keep)
}

fn decode_with(body: &str, selection: &Selection, profile_names: ProfileNameMode) -> Listing {
    list_with(body.as_bytes(), selection, profile_names).unwrap()
}

/// A page that may be none.
fn list(body: &[u8]) -> Result<Listing, DecodeError> {
    list_with(body, &Selection::default(), ProfileNameMode::Keep)
}

fn list_with(
    body: &[u8],
    selection: &Selection,
    profile_names: ProfileNameMode,
) -> Result<Listing, DecodeError> {
    Decoder {
        scope: &Scope::default(),
        profile_names,
        selection,
        marks: false,
    }
    .list(body)
}

fn row(more: &str) -> String {
    format!(
        r#"{{"id":"c1","profile_name":"p","domain":"d.example","status":"AUTHENTICATED","save_credentials":true,"record_session":false{more}}}"#
    )
}

fn only(more: &str) -> Connection {
    let mut listing = decode(&format!("[{}]", row(more)));
    assert!(listing.malformed.is_empty());
    listing.connections.pop().unwrap()
}

#[test]
fn the_minimum_leaves_everything_else_absent() {
    let connection = only("");
    assert_eq!(connection.status, AuthStatus::Authenticated);
    assert_eq!(connection.last_auth_at, None);
    assert_eq!(connection.flow.status, FlowStatus::None);
    assert_eq!(connection.can_reauth, None);
    assert_eq!(connection.settings.health_checks, None);
    assert_eq!(connection.settings.save_credentials, Some(true));
    assert_eq!(connection.settings.credential, Some(CredentialKind::None));
    assert_eq!(connection.flow.pending, [None; 5]);
}

#[test]
fn null_is_as_missing_in_every_optional_member() {
    let nulls = [
        "last_auth_at",
        "last_auth_check_at",
        "flow_status",
        "flow_step",
        "flow_type",
        "flow_expires_at",
        "error_code",
        "can_reauth",
        "can_reauth_reason",
        "health_check_interval",
        "health_checks",
        "auto_reauth",
        "health_check_unavailable_reason",
        "credential",
        "fields",
        "choices",
        "discovered_fields",
        "mfa_options",
        "sign_in_options",
        "pending_sso_buttons",
        "browser",
    ]
    .map(|name| format!(r#","{name}":null"#))
    .concat();
    assert_eq!(only(&nulls), only(""));
}

#[test]
fn timestamps_with_fractions_offsets_and_nonsense() {
    let connection = only(r#","last_auth_check_at":"2026-11-22T10:02:45.318+02:00""#);
    let expected = Some(Timestamp::from_micros(1_795_334_565_318_000));
    assert_eq!(connection.last_auth_check_at, expected);
    assert_eq!(
        connection.last_auth_at, expected,
        "the check stands in for the older name"
    );

    assert_eq!(
        only(r#","last_auth_at":"0001-01-01T00:00:00Z""#).last_auth_at,
        None
    );

    let listing = decode(&format!("[{}]", row(r#","flow_expires_at":"soon""#)));
    assert_eq!(listing.connections[0].flow.expires_at, None);
    let unknown: Vec<_> = listing.unknown.iter().collect();
    assert_eq!(unknown, [(Field::FlowExpiresAt, "soon", 1)]);
}

#[test]
fn unknown_values_are_unknown_and_told() {
    let body = r#"[{"id":"c","profile_name":"p","domain":"d","status":"LOCKED","flow_status":"PENDING",
        "flow_step":"x","flow_type":"y","error_code":"account_locked","can_reauth_reason":"because",
        "health_check_unavailable_reason":"z"}]"#;
    let listing = decode(body);
    let connection = &listing.connections[0];
    assert_eq!(connection.status, AuthStatus::Unknown);
    assert_eq!(connection.flow.status, FlowStatus::Unknown);
    assert_eq!(connection.flow.step, FlowStep::Unknown);
    assert_eq!(connection.flow.kind, FlowType::Unknown);
    assert_eq!(connection.flow.error_code, Some(ErrorCode::Other));
    assert_eq!(connection.can_reauth_reason, Some(ReauthReason::Other));
    assert_eq!(
        connection.settings.health_check_unavailable,
        Some(HealthCheckUnavailable::Other)
    );
    assert_eq!(listing.unknown.iter().count(), 7);
    assert!(listing.malformed.is_empty());
}

#[test]
fn case_does_not_matter() {
    let connection = only(r#","flow_status":"in_progress","flow_type":"Reauth""#);
    assert_eq!(connection.flow.status, FlowStatus::InProgress);
    assert_eq!(connection.flow.kind, FlowType::Reauth);
}

#[test]
fn a_row_that_cannot_be_read_does_not_lose_the_others() {
    let good = row("");
    for bad in [
        r#"{"id":7,"domain":"d","profile_name":"p","status":"NEEDS_AUTH"}"#,
        r#"{"id":"","domain":"d","profile_name":"p","status":"NEEDS_AUTH"}"#,
        r#"{"id":"bob\ud83d","domain":"d","profile_name":"p","status":"NEEDS_AUTH"}"#,
        "\"row\"",
        "null",
        "[]",
    ] {
        let listing = decode(&format!("[{good},{bad},{}]", good.replace("c1", "c2")));
        assert_eq!(listing.rows, 3, "{bad}");
        assert_eq!(listing.connections.len(), 2, "{bad}");
        assert_eq!(listing.malformed.len(), 1, "{bad}");
    }
}

#[test]
fn an_odd_member_is_absent_and_counted_and_the_row_is_there() {
    for (members, fields) in [
        (
            r#""status":"NEEDS_AUTH","can_reauth":"true""#,
            &["can_reauth"][..],
        ),
        (
            r#""status":"NEEDS_AUTH","health_check_interval":"3600""#,
            &["health_check_interval"],
        ),
        (
            r#""status":"NEEDS_AUTH","health_check_interval":1e999"#,
            &["health_check_interval"],
        ),
        (r#""status":"NEEDS_AUTH","credential":"x""#, &["credential"]),
        (r#""status":"NEEDS_AUTH","flow_status":7"#, &["flow_status"]),
        (r#""status":"NEEDS_AUTH","fields":3"#, &["fields"]),
        (
            r#""status":"NEEDS_AUTH","fields":{},"choices":[1]"#,
            &["fields"],
        ),
        (
            r#""status":"NEEDS_AUTH","error_code":"a\ud83d""#,
            &["error_code"],
        ),
        (r#""status":"NEEDS_AUTH","website_error":"a\ud83d""#, &[]),
        (r#""status":5"#, &["status"]),
        (r#""status":{"a":[1]}"#, &["status"]),
        (r#""status":null"#, &["status"]),
        (r#""can_reauth":true"#, &["status"]),
    ] {
        let body = format!(r#"[{{"id":"c1","profile_name":"p","domain":"d",{members}}}]"#);
        let listing = decode(&body);
        assert!(listing.malformed.is_empty(), "{body}");
        let connection = &listing.connections[0];
        let status = if fields == ["status"] {
            AuthStatus::Unknown
        } else {
            AuthStatus::NeedsAuth
        };
        assert_eq!(connection.status, status, "{body}");
        let unknown: Vec<_> = listing
            .unknown
            .iter()
            .map(|(field, ..)| field.as_str())
            .collect();
        assert_eq!(unknown, fields, "{body}");
    }
    let odd =
        decode(r#"[{"id":"c1","profile_name":"a\ud83d","domain":7,"status":"AUTHENTICATED"}]"#);
    let labels = &odd.connections[0].labels;
    assert_eq!(
        (&*labels.domain(), labels.profile_name().as_deref()),
        ("", Some(""))
    );
    assert_eq!(odd.unknown.iter().count(), 2);
}

#[test]
fn bytes_that_are_not_utf_8_spoil_the_member_they_are_in() {
    for (member, shown) in [
        (&b"\"website_error\":\"\xff\""[..], 2),
        (b"\"error_code\":\"\xff\"", 2),
        (b"\"id\":\"\xff\"", 1),
    ] {
        let mut body = b"[{\"id\":\"a\",\"profile_name\":\"p\",\"domain\":\"d\",\"status\":\"AUTHENTICATED\"},\
            {\"profile_name\":\"p\",\"domain\":\"d\",\"status\":\"AUTHENTICATED\","
            .to_vec();
        body.extend_from_slice(member);
        if shown == 2 {
            body.extend_from_slice(b",\"id\":\"b\"");
        }
        body.extend_from_slice(b"}]");
        let listing = list(&body).unwrap();
        assert_eq!(listing.connections.len(), shown);
        assert_eq!(listing.malformed.len(), 2 - shown);
    }
}

#[test]
fn what_is_not_a_whole_array_is_an_error() {
    let good = row("");
    for body in [
        "",
        "{}",
        "null",
        "<html>",
        "[",
        &good,
        &format!("[{good}"),
        &format!("[{good}] x"),
    ] {
        assert!(list(body.as_bytes()).is_err(), "{body}");
    }
    assert!(list(b"[]").is_ok());
}

#[test]
fn a_page_of_too_many_rows_is_not_read() {
    let page = |rows: usize| format!("[{}]", vec![r#"{"id":"a"}"#; rows].join(","));
    assert_eq!(list(page(MAX_ROWS).as_bytes()).unwrap().rows, MAX_ROWS);
    assert!(list(page(MAX_ROWS + 1).as_bytes()).is_err());
}

#[test]
fn the_canonical_arrays_win_over_their_older_twins() {
    let counts = |more: &str| {
        let pending = only(more).flow.pending;
        PendingInput::ALL
            .iter()
            .map(|kind| pending[*kind as usize])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        counts(
            r#","choices":[{}],"mfa_options":[{},{}],"fields":[{},{}],"discovered_fields":[{}]"#
        ),
        [Some(2), Some(1), None, None, None]
    );
    assert_eq!(
        counts(
            r#","mfa_options":[{}],"sign_in_options":[],"pending_sso_buttons":[{},{}],"discovered_fields":[{}]"#
        ),
        [Some(1), None, Some(1), Some(0), Some(2)]
    );
}

#[test]
fn credentials_are_told_apart_by_their_members() {
    for (text, kind) in [
        (r#"{"name":"n"}"#, CredentialKind::Kernel),
        (
            r#"{"provider":"v","path":"p"}"#,
            CredentialKind::ExternalPath,
        ),
        (
            r#"{"provider":"v","auto":true}"#,
            CredentialKind::ExternalAuto,
        ),
        (
            r#"{"provider":"v","auto":false}"#,
            CredentialKind::ExternalInert,
        ),
        (
            r#"{"provider":"v","name":null,"path":null}"#,
            CredentialKind::ExternalInert,
        ),
        ("{}", CredentialKind::None),
    ] {
        assert_eq!(
            only(&format!(r#","credential":{text}"#))
                .settings
                .credential,
            Some(kind),
            "{text}"
        );
    }
}

#[test]
fn names_are_filtered_before_they_are_hashed() {
    let body = format!(
        "[{},{}]",
        row(""),
        row("").replace("\"p\"", "\"q\"").replace("c1", "c2")
    );
    let filter = Selection::Every {
        domains: Vec::new(),
        profiles: vec!["q".into()],
        exclude: Exclude::default(),
    };
    let listing = decode_with(&body, &filter, ProfileNameMode::Hash);
    assert_eq!((listing.rows, listing.connections.len()), (2, 1));
    assert_eq!(
        listing.connections[0].labels.profile_name().unwrap(),
        short_hash("q")
    );
    let dropped = decode_with(&body, &filter, ProfileNameMode::Drop);
    assert_eq!(dropped.connections[0].labels.profile_name(), None);
}

#[test]
fn deep_nesting_in_a_member_nobody_reads_is_skipped() {
    let deep = format!(
        r#","browser":{}{}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(only(&deep), only(""));
}

#[test]
fn projects_tell_whether_they_are_active() {
    let body = br#"[{"id":"proj_a","name":"A","status":"active"},{"id":"proj_b","name":"B","status":"archived"},
        {"id":"bad\nid","name":"C","status":"active"}]"#;
    let projects = project::Project::list(body).unwrap();
    let read = |at: usize| (&*projects[at].id, projects[at].active);
    assert_eq!(read(0), ("proj_a", true));
    assert_eq!(read(1), ("proj_b", false));
    assert_eq!(read(2).0, "", "no header can carry it");
    assert_eq!(projects[0].name.as_deref(), Some("A"));
    // One odd member does not lose the others.
    let odd =
        project::Project::list(br#"[{"id":7,"status":[]},{"id":"proj_c","name":{},"status":1}]"#);
    let odd = odd.unwrap();
    assert_eq!(
        (&*odd[0].id, &*odd[1].id, odd[1].active),
        ("", "proj_c", true)
    );
}

proptest! {
    #[test]
    fn both_passes_read_the_same(names in proptest::collection::vec("\\PC{1,20}", 0..8)) {
        let rows: Vec<_> = names.iter().enumerate().map(|(index, name)| {
            serde_json::json!({"id": format!("id{index}"), "profile_name": name, "domain": name,
                "status": "NEEDS_AUTH", "fields": [{"label": name}], "extra": {"deep": [name]}})
        }).collect();
        let body = serde_json::to_vec(&rows).unwrap();
        let (scope, selection) = (Scope::default(), Selection::default());
        let decoder = Decoder { scope: &scope, profile_names: ProfileNameMode::Keep, selection: &selection, marks: false };
        let one = decoder.list(&body).unwrap();
        let other = decoder.list_row_by_row(&body).unwrap();
        prop_assert_eq!(&one.connections, &other.connections);
        prop_assert_eq!(one.rows, names.len());
        for (connection, name) in one.connections.iter().zip(&names) {
            // It stands for bytes that are not UTF-8.
            let readable = !name.contains(char::REPLACEMENT_CHARACTER);
            let shown = connection.labels.domain();
            prop_assert_eq!(&*shown, if readable { name.as_str() } else { "" });
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (scope, selection) = (Scope::default(), Selection::default());
        let decoder = Decoder { scope: &scope, profile_names: ProfileNameMode::Keep, selection: &selection, marks: false };
        let _ = decoder.list(&body);
        let _ = decoder.one(&body);
    }
}
