//! Which collectors an alert needs: the table of docs/alerting.md says so.

/// The page with the table.
const PAGE: &str = include_str!("../../docs/alerting.md");

/// A row of it.
struct Needs {
    alert: &'static str,
    /// Without one of these it never fires.
    needed: Vec<&'static str>,
    /// With these it tells more.
    better: Vec<&'static str>,
}

fn table() -> impl Iterator<Item = Needs> {
    let named = |text: &'static str| text.split('`').skip(1).step_by(2).collect();
    PAGE.lines().filter_map(move |line| {
        let row = line.strip_prefix("| [")?.strip_suffix(" |")?;
        let (alert, rest) = row.split_once(']')?;
        let (_, needs) = rest.rsplit_once(" | ")?;
        let (needed, better) = needs.split_once(';').unwrap_or((needs, ""));
        Some(Needs {
            alert,
            needed: named(needed),
            better: named(better),
        })
    })
}

/// The alerts that cannot fire while the collectors `off` are off.
pub(super) fn silent(off: &[&str]) -> Vec<&'static str> {
    let silent = table().filter(|needs| needs.needed.iter().any(|name| off.contains(name)));
    silent.map(|needs| needs.alert).collect()
}

/// What to say of each of the collectors `off`.
pub(super) fn hints(off: &[&str]) -> Vec<String> {
    let mut hints = Vec::new();
    for name in off {
        let of = |select: fn(&Needs) -> &Vec<&'static str>| {
            let rows = table().filter(|needs| select(needs).contains(name));
            let alerts: Vec<_> = rows.map(|needs| needs.alert).collect();
            alerts.join(", ")
        };
        let (silent, better) = (of(|needs| &needs.needed), of(|needs| &needs.better));
        if !silent.is_empty() {
            hints.push(format!("left out, the collector {name} is off: {silent}"));
        }
        if !better.is_empty() {
            hints.push(format!("tells more with the collector {name}: {better}"));
        }
    }
    hints
}

/// `rules` without those alerts, which it names at its top.
pub(super) fn without(rules: &str, silent: &[&str]) -> String {
    if silent.is_empty() {
        return rules.to_owned();
    }
    // Blank lines stand between rules, and in no rule.
    let is_kept = |paragraph: &&str| {
        let mut lines = paragraph
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("- alert: "));
        !lines.any(|alert| silent.contains(&alert))
    };
    let kept: Vec<&str> = rules.split("\n\n").filter(is_kept).collect();
    let mut kept = kept.join("\n\n");
    if !kept.ends_with('\n') {
        kept.push('\n');
    }
    let (first, rest) = kept.split_once('\n').unwrap_or((&kept, ""));
    format!(
        "{first}\n# Left out, because their collectors are off: {}.\n{rest}",
        silent.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_its_row() {
        let rules = include_str!("rules.yml.tmpl");
        let alerts = rules
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("- alert: "));
        let rows: Vec<_> = table().map(|needs| needs.alert).collect();
        for alert in alerts {
            assert!(rows.contains(&alert), "{alert}");
        }
    }

    #[test]
    fn what_needs_a_collector_is_left_out_without_it() {
        assert_eq!(silent(&[]), [""; 0]);
        let org = ["KernelAuthAPIKeyExpiring", "KernelAuthConnectionsNearLimit"];
        assert_eq!(silent(&["timeline", "org"]), org);
        let hints = hints(&["timeline", "org"]);
        assert_eq!(hints.len(), 2, "{hints:?}");
        assert!(hints[0].starts_with("tells more with the collector timeline: "));
        assert!(hints[1].starts_with("left out, the collector org is off: "));
        let status = silent(&["status"]);
        assert!(status.len() > 8 && status.contains(&"KernelAuthConnectionNeedsAuth"));
        assert!(!status.contains(&"KernelAuthAPIUnreachable"));
    }

    #[test]
    fn a_rule_goes_with_its_comments_and_nothing_else_does() {
        let rules = "# Head\ngroups:\n\n      # why\n      - alert: A\n        expr: a\n\n      - alert: B\n        expr: b\n";
        assert_eq!(
            without(rules, &["A"]),
            "# Head\n# Left out, because their collectors are off: A.\ngroups:\n\n      - alert: B\n        expr: b\n"
        );
        assert_eq!(without(rules, &[]), rules);
    }
}
