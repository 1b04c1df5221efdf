//! `once`, `demo`, and what the program says when it cannot begin.

use std::collections::BTreeMap;
use std::fs;

use kernel_api_simulator::{Fault, FaultKind, Route};
use reqwest::Method;

use super::metrics::labels;
use super::support::{Api, KEY, Metrics, PATIENCE, Program, request};

const BINARY: &str = env!("CARGO_BIN_EXE_kernel-auth-exporter");

#[tokio::test]
async fn once_prints_what_a_scrape_would() {
    let api = Api::small().await;
    let ended = api.once(&[]).await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let text = Metrics::new(ended.stdout);
    assert_eq!(text.value("kernel_auth_up"), Some(1.0));
    // They would stand beside those of the program that serves the file.
    assert!(!text.has("process_cpu_seconds_total"));
    let scraped = api.exporter(&[]).scrape().await;
    let families = |scrape: &Metrics| -> Vec<String> {
        let lines = scrape
            .text
            .lines()
            .filter(|line| line.starts_with("# TYPE"));
        let names = lines.map(|line| line.split(' ').nth(2).unwrap().to_owned());
        names.filter(|name| !name.starts_with("process_")).collect()
    };
    assert_eq!(families(&text), families(&scraped));
}

#[tokio::test]
async fn once_fails_when_the_api_does_not_answer_fully() {
    let api = Api::small().await;
    api.control.add_fault(Fault::status(403));
    let ended = api.once(&[]).await;
    assert_eq!(ended.code(), Some(1));
    assert_eq!(
        Metrics::new(ended.stdout).value("kernel_auth_up"),
        Some(0.0)
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("reason=forbidden"));
    let table = api.once(&["--format=table"]).await;
    assert_eq!(table.code(), Some(1));
    assert!(!table.stdout.is_empty(), "the table says so too");
}

#[tokio::test]
async fn once_tells_a_time_out_as_what_it_is() {
    let api = Api::small().await;
    api.control.add_fault(Fault::new(FaultKind::Silent));
    // Who waits and what is waited for have the same time.
    for _ in 0..3 {
        let ended = api.once(&["--kernel.timeout=100ms"]).await;
        assert_eq!(ended.code(), Some(1));
        let text = Metrics::new(ended.stdout);
        let reason = "kernel_auth_failure_reason{reason=\"timeout\"}";
        assert_eq!(text.value(reason), Some(1.0), "{}", text.text);
        assert!(ended.stderr.contains("reason=timeout"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn once_says_that_timelines_could_not_be_read() {
    let api = Api::small().await;
    api.control
        .add_fault(Fault::status(500).at(Route::Timeline));
    let ended = api.once(&["--collector.timeline"]).await;
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr.contains("timelines cannot be read"));
    assert!(Metrics::new(ended.stdout).has("kernel_auth_connection_status"));
}

#[tokio::test]
async fn the_table_has_a_line_for_each_connection() {
    let api = Api::small().await;
    let ended = api.once(&["--format=table"]).await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    for truth in api.control.truth() {
        let lines = ended.stdout.lines();
        let lines = lines.filter(|line| line.contains(&truth.domain));
        let of = |line: &&str| line.contains(&truth.profile_name);
        assert_eq!(lines.filter(of).count(), 1, "{}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}'), "no colour into a pipe");
}

#[tokio::test]
async fn configured_connections_are_found_or_not() {
    let api = Api::small().await;
    let ids: Vec<_> = api.control.truth().into_iter().map(|row| row.id).collect();
    let flags = [&*ids[1], &*ids[3], "ma_nobody"].map(|id| format!("--kernel.connection={id}"));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let ended = api.once(&flags).await;
    assert_eq!(
        ended.code(),
        Some(0),
        "a 404 is an answer: {}",
        ended.stderr
    );
    assert!(ended.stderr.contains("ids=ma_nobody"), "{}", ended.stderr);
    let text = Metrics::new(ended.stdout);
    let found = |id: &str| {
        text.value(&format!(
            "kernel_auth_connection_found{{connection_id=\"{id}\"}}"
        ))
    };
    assert_eq!(
        [found(&ids[1]), found(&ids[3]), found("ma_nobody")],
        [Some(1.0), Some(1.0), Some(0.0)]
    );
    let connections = text.of("kernel_auth_connections").map(|(_, count)| count);
    assert_eq!(connections.sum::<f64>(), 2.0);
}

/// A collector of `docs/metrics.md` that is on by default.
struct Documented {
    families: Vec<&'static str>,
    /// Family, label, values.
    values: Vec<(&'static str, &'static str, Vec<&'static str>)>,
}

/// What `docs/metrics.md`, which is made from the catalogue, says.
fn documented_collectors() -> Vec<Documented> {
    let page = include_str!("../../docs/metrics.md");
    let sections = page.split("\n## Collector ").skip(1);
    let on = sections.filter(|section| section.contains("On by default;"));
    let collectors: Vec<_> = on
        .map(|section| {
            let section = section.split("\n## ").next().unwrap();
            let named = |line: &'static str| line.strip_prefix("| `")?.split('`').next();
            let values = |line: &'static str| {
                let (family, rest) = line.strip_prefix('`')?.split_once("`, values of `")?;
                let (label, values) = rest.split_once("`: ")?;
                let values = values.split(", ").map(|value| value.trim_matches('`'));
                Some((family, label, values.collect()))
            };
            Documented {
                families: section.lines().filter_map(named).collect(),
                values: section.lines().filter_map(values).collect(),
            }
        })
        .collect();
    assert_eq!(collectors.len(), 5, "the page is written as it was");
    collectors
}

#[tokio::test]
async fn the_demo_shows_every_family_and_every_state() {
    // At the pace of life, so that no state has passed before it is seen.
    let flags = ["demo", "--speed=1", "--web.listen-address=127.0.0.1:0"];
    let demo = Program::start(&flags, &[]);
    let scrape = demo.scrape().await;
    assert!(scrape.has("kernel_auth_up"));
    assert!(scrape.of("kernel_auth_up").all(|(_, up)| up == 1.0));
    // Which values each label of each family takes with a sample that is not 0.
    let mut seen: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (series, value) in scrape.samples() {
        if value != "0"
            && let Some((name, written)) = series.split_once('{')
        {
            for (label, text) in labels(written.trim_end_matches('}')) {
                seen.entry((name, label)).or_default().push(text);
            }
        }
    }
    // What no simulated fleet is by itself: faults make it so.
    let never = ["UNKNOWN", "other"];
    for collector in documented_collectors() {
        for family in collector.families {
            assert!(scrape.has(family), "{family}");
        }
        for (family, label, values) in collector.values {
            let found = seen.get(&(family, label));
            for value in values {
                let is_seen = found.is_some_and(|found| found.contains(&value));
                assert_ne!(is_seen, never.contains(&value), "{family} {value}");
            }
        }
    }
    let told = demo.stdout();
    let address = demo.address().await;
    let port = address.rsplit(':').next().unwrap();
    assert!(
        told.contains(&format!("http://localhost:{port}/metrics")),
        "{told}"
    );
    assert!(told.contains("Ctrl-C"), "{told}");
    demo.signal("INT");
    assert_eq!(demo.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_demo_lives_without_being_scraped() {
    let flags = ["demo", "--speed=200", "--web.listen-address=127.0.0.1:0"];
    let demo = Program::start(&flags, &[]);
    let first = demo.logged("first collection").await.remove(0);
    assert!(first.contains("connections=250 scopes=2"), "{first}");
    // What the page says of the fleet, without the times.
    let rows = async || {
        let page = demo.get("/").await;
        assert!(page.contains("refreshes every 15 s"), "{page}");
        let ids = page.split("id=").skip(1);
        let ids = ids.filter_map(|rest| rest.split(['&', '"']).next());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = rows().await;
    assert!(before.len() > 50, "{before:?}");
    let end = tokio::time::Instant::now() + PATIENCE;
    while rows().await == before {
        assert!(tokio::time::Instant::now() < end, "the fleet stands still");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_the_demo_says_to_try_works() {
    let demo = Program::start(&["demo", "--web.listen-address=127.0.0.1:0"], &[]);
    demo.address().await;
    let told = demo.stdout();
    for line in told.lines() {
        assert!(
            line.chars().count() <= 80 || line.contains(BINARY),
            "{line}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    // Commands are indented; one that goes on ends with a backslash.
    let commands = told.replace("\\\n", "");
    let commands = commands.lines().filter_map(|line| line.strip_prefix("   "));
    let (ours, others): (Vec<_>, Vec<_>) = commands.partition(|line| line.contains(BINARY));
    let ran: Vec<_> = ours
        .iter()
        .map(|command| {
            let mut shell = std::process::Command::new("sh");
            let output = shell.args(["-c", command]).current_dir(&directory);
            let output = output.output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    let [table, assets] = &*ran else {
        panic!("{told}");
    };
    assert!(table.lines().count() > 250, "{table}");
    assert!(assets.contains("kernel-auth/examples/prometheus-alerting.yml"));
    let url = |prefix: &str| {
        let mut found = others.iter().filter_map(|line| line.strip_prefix(prefix));
        found.next().unwrap_or_else(|| panic!("{prefix}: {told}"))
    };
    let on = request(Method::POST, url("curl -s -d status=503 ")).body("status=503");
    assert!(on.send().await.unwrap().status().is_success());
    demo.logged("reason=server_error").await;
    let off = request(Method::DELETE, url("curl -s -X DELETE "));
    assert!(off.send().await.unwrap().status().is_success());
    demo.logged("the API answers again").await;
    let sample = directory
        .path()
        .join("kernel-auth/examples/prometheus-alerting.yml");
    let sample = fs::read_to_string(sample).unwrap();
    let address = demo.address().await;
    let port = address.rsplit(':').next().unwrap();
    assert!(sample.contains(&format!("targets: ['localhost:{port}']")));
}

#[tokio::test]
async fn without_a_key_it_names_the_ways_to_give_one() {
    for command in [&[][..], &["once"]] {
        let ended = Program::start(command, &[]).ended().await;
        assert_eq!(ended.code(), Some(2));
        assert_eq!(ended.stdout, "");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        for way in [
            "KERNEL_API_KEY",
            "KERNEL_API_KEY_FILE",
            "--kernel.api-key-file",
        ] {
            assert!(ended.stderr.contains(way), "{}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    for path in
        [&empty, &directory.path().join("missing"), directory.path()] as [&std::path::Path; 3]
    {
        let flag = format!("--kernel.api-key-file={}", path.display());
        let ended = Program::start(&[&flag], &[]).ended().await;
        assert_ne!(ended.code(), Some(0));
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(
            ended.stderr.contains(path.to_str().unwrap()),
            "{}",
            ended.stderr
        );
    }
    let ended = Program::start(&["--kernel.api-key=x"], &[("KERNEL_API_KEY", KEY)]);
    let ended = ended.ended().await;
    assert_eq!(ended.code(), Some(2), "no flag takes the key itself");
}

#[tokio::test]
async fn sighup_reloads_it() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let (key, file) = (
        directory.path().join("key"),
        directory.path().join("config.yml"),
    );
    fs::write(&key, KEY).unwrap();
    let configure = |more: &str| {
        let account = format!(
            "accounts: [{{name: main, api_key_file: {}}}]",
            key.display()
        );
        fs::write(&file, format!("{account}\n{more}\n")).unwrap();
    };
    configure("");
    let program = Program::start(
        &[
            "--web.listen-address=127.0.0.1:0",
            &format!("--config.file={}", file.display()),
            &format!("--kernel.api-url={}", api.url),
        ],
        &[],
    );
    let zeros = "status=\"UNKNOWN\"} 0";
    let loaded = "kernel_auth_exporter_config_last_reload_successful";
    assert!(program.scrape().await.text.contains(zeros));

    configure("metrics: {states: x}");
    program.signal("HUP");
    let line = program.logged("not reloaded").await.remove(0);
    assert!(line.contains("level=error"), "{line}");
    assert!(line.contains("config.yml:2:"), "{line}");
    let scrape = program.scrape().await;
    assert!(scrape.text.contains(zeros));
    assert_eq!(scrape.value(loaded), Some(0.0));

    configure("metrics: {states: active}");
    program.signal("HUP");
    program.logged("configuration reloaded").await;
    assert!(!program.scrape().await.text.contains(zeros));
}
