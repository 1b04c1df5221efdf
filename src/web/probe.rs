//! What `/probe` is asked for, and how it explains itself.

use std::fmt::Write as _;

use crate::collect::Probed;
use crate::model::connection_id;

/// Reads `target=` of the query string: the id of one connection.
pub(super) fn target(query: &str) -> Result<Box<str>, String> {
    let mut targets = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "target")
        .map(|(_, value)| value);
    let target = targets
        .next()
        .ok_or("name a connection by its id, as in /probe?target=ID")?;
    if targets.next().is_some() {
        return Err("one target at a time".to_owned());
    }
    // Never said again: it may be anything, a URL with a token for example.
    connection_id(&target).map_err(|error| format!("target: {error}"))
}

/// Whether `debug=true` stands in the query string.
pub(super) fn is_to_explain(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|pair| pair == ("debug".into(), "true".into()))
}

/// A probe for people: what came of it, what was logged meanwhile, and the
/// metrics that it would have answered with.
pub(super) fn explained(target: &str, probed: &Probed, log: &str, metrics: &[u8]) -> String {
    let mut text = match &probed.why {
        None => format!("Probe of {target}: success\n"),
        Some(why) => format!("Probe of {target}: no success, {why}\n"),
    };
    for (view, _, _) in probed.fleet.connections() {
        for (name, value) in [
            ("Account", view.scope.account()),
            ("Project", view.scope.project()),
        ] {
            if let Some(value) = value {
                // A write to a string does not fail.
                let _ = writeln!(text, "{name}: {value}");
            }
        }
    }
    text.push_str("\nWhat was asked and answered:\n");
    text.push_str(match (log, &probed.why) {
        ("", None) => "nothing; another probe of it was under way, and this is its answer\n",
        ("", Some(_)) => "nothing was sent\n",
        _ => log,
    });
    text.push_str("\nMetrics:\n");
    text.push_str(&String::from_utf8_lossy(metrics));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_and_nothing_else() {
        assert_eq!(&*target("target=ma_1&account=a").unwrap(), "ma_1");
        assert_eq!(&*target("target=ma%2D1").unwrap(), "ma-1");
        for query in [
            "",
            "target=",
            "targets=a",
            "target=a&target=b",
            "target=..",
            "target=https%3A%2F%2Fexample.com",
            "target=a%2Fb",
            "target=a%20b",
            "target=a%0Ab",
            "target=%00",
        ] {
            assert!(target(query).is_err(), "{query}");
        }
    }
}
