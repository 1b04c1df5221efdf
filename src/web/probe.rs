//! What `/probe` is asked for.

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
