//! Names that would break what is written without care.

use std::sync::Arc;

use super::fixture::{snapshot_of, sparse};
use crate::model::{AccountView, Fleet, Scope, ScopeView, Snapshot};

/// Names that have broken an exporter or a parser somewhere.
pub(crate) const HOSTILE: [&str; 14] = [
    "\"",
    "\\",
    "\\\"",
    "\n",
    "\\n",
    "a\r\nb",
    "\0",
    "} 1\nkernel_auth_up 1",
    "\u{202e}desrever\u{202c}",
    "\u{2028}\u{85}\u{b}\u{c}",
    " lead and trail ",
    "{\"json\": [1,2]}",
    "日本語 😀",
    "# EOF",
];

/// A name as it is to be read back.
pub(crate) fn visible(name: &str) -> String {
    crate::model::bound_label(name).replace('\0', "\u{fffd}")
}

/// A connection for each hostile name, in each place, and some very long ones.
pub(crate) fn hostile() -> (Fleet, Vec<[String; 3]>) {
    let long = "long\"\\\n\0é".repeat(1_000);
    let account = "acc\"ount\\\n";
    let scope = Scope::new(Some(account), Some("pro\nject"));
    let mut names = Vec::new();
    let mut connections = Vec::new();
    let hostile = HOSTILE.iter().copied().chain([long.as_str()]);
    for (index, name) in hostile.enumerate() {
        for place in 0..3 {
            let mut three = [
                format!("id-{index}-{place}"),
                "d.example".into(),
                "p".into(),
            ];
            three[place] = if place == 0 {
                // Ids are unique.
                format!("{index}{name}")
            } else {
                name.to_owned()
            };
            connections.push(sparse(&scope, &three[0], &three[1], Some(&three[2])));
            names.push(three.map(|name| visible(&name)));
        }
    }
    let fleet = Fleet {
        accounts: vec![AccountView {
            account: Some(account.into()),
            ratelimit_limit: Some(1),
            ..AccountView::default()
        }],
        scopes: vec![ScopeView {
            scope: Arc::new(scope),
            project_name: None,
            failure: None,
            snapshot: Some(Arc::new(Snapshot {
                found: [(long.as_str().into(), false)].into(),
                ..snapshot_of(connections)
            })),
        }],
    };
    (fleet, names)
}
