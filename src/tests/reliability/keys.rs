//! Refused keys and keys that change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use kernel_api_simulator::{Fault, Route};

use crate::collect::Request;
use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::{StoppedClock, fast, until};

type Replace<'a> = &'a dyn Fn(&str);

async fn with_key_file(
    path: &Path,
    options: kernel_api_simulator::Options,
    flags: &[&str],
) -> Bench {
    let env = [("KERNEL_API_KEY_FILE", path.to_str().unwrap())];
    Bench::with_key(options, flags, &env).await
}

#[tokio::test]
async fn a_refused_key_costs_one_request_a_collection() {
    let _clock = StoppedClock::new();
    let ids = Bench::new(world(30), &[]).await.ids();
    let flags: Vec<String> = ids[..6]
        .iter()
        .map(|id| format!("--kernel.connection={id}"))
        .collect();
    let by_id: Vec<&str> = flags.iter().map(String::as_str).collect();
    let projects = kernel_api_simulator::Options {
        projects: 5,
        ..world(500)
    };
    for (name, options, flags) in [
        ("every connection", world(2_000), vec![]),
        ("by id", world(30), by_id),
        ("all projects", projects, vec!["--kernel.project=all"]),
    ] {
        // From the start, and for a key that was good before.
        for good_before in [false, true] {
            let bench = Bench::new(options.clone(), &flags).await;
            if good_before {
                assert!(bench.scrape().await.is_up_everywhere(), "{name}");
            }
            bench.api.set_api_key("sk_rotated");
            bench.requests();
            bench.scrape().await;
            for _ in 0..3 {
                bench.requests();
                let scrape = bench.scrape().await;
                assert!(!scrape.is_up_everywhere(), "{name}");
                assert_eq!(bench.cost(), 1, "{name}, good before: {good_before}");
            }
        }
    }
}

#[tokio::test]
async fn a_403_costs_one_request_a_collection() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(2_000), &[]).await;
    bench.scrape().await;
    bench.api.add_fault(Fault::status(403));
    bench.requests();
    let scrape = bench.scrape().await;
    assert_eq!((scrape.up(), bench.cost()), (false, 1));
    assert_eq!(scrape.errors("forbidden"), 1.0);
}

#[tokio::test]
async fn a_key_file_replaced_in_any_way_is_used_from_the_next_collection_on() {
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_demo\n").unwrap();
    let bench = with_key_file(&path, world(150), &[]).await;
    assert!(bench.scrape().await.up());
    let replace: [(&str, Replace<'_>); 3] = [
        ("in place", &|key| fs::write(&path, key).unwrap()),
        ("by rename", &|key| {
            let new = directory.path().join("new");
            fs::write(&new, key).unwrap();
            fs::rename(&new, &path).unwrap();
        }),
        ("by symlink, as Kubernetes does", &|key| {
            let data = directory.path().join(format!("..data-{key}"));
            fs::create_dir_all(&data).unwrap();
            fs::write(data.join("key"), key).unwrap();
            let link = directory.path().join("link");
            symlink(data.join("key"), &link).unwrap();
            fs::rename(&link, &path).unwrap();
        }),
    ];
    for (at, (name, replace)) in replace.into_iter().enumerate() {
        let key = format!("sk_number_{at}");
        bench.api.set_api_key(&key);
        replace(&key);
        bench.requests();
        let scrape = bench.scrape().await;
        assert!(scrape.up(), "{name}");
        assert_eq!(bench.cost(), 2, "{name}: known before anything is refused");
    }
}

#[tokio::test]
async fn a_half_written_key_file_keeps_the_old_key() {
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_demo").unwrap();
    let bench = with_key_file(&path, world(10), &[]).await;
    assert!(bench.scrape().await.up());
    fs::write(&path, "").unwrap();
    let scrape = bench.scrape().await;
    assert!(scrape.up(), "an empty file is a file that is being written");
    assert_eq!(scrape.errors("key_file"), 1.0);
    fs::remove_file(&path).unwrap();
    assert!(bench.scrape().await.up());
}

#[tokio::test]
async fn a_key_that_changes_during_a_collection_is_tried_once_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_demo").unwrap();
    let _clock = StoppedClock::new();
    let bench = with_key_file(&path, world(150), &[]).await;
    assert!(bench.scrape().await.up());
    bench.requests();
    bench.api.set_latency(std::time::Duration::from_secs(1));
    let scrape = bench.scrape();
    tokio::pin!(scrape);
    // The collection has read the old key and sent its first request with it.
    tokio::select! {
        _ = &mut scrape => panic!("not before its first answer"),
        () = until(|| bench.api.requests().in_flight == 1) => {}
    }
    bench.api.set_api_key("sk_new");
    fs::write(&path, "sk_new").unwrap();
    let scrape = fast(scrape).await;
    let log = bench.requests();
    assert!(scrape.up(), "{}", scrape.text);
    assert!(log.count(Route::Connections) <= 3);
}

#[tokio::test]
async fn a_new_key_that_waits_for_the_quota_fails_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_demo").unwrap();
    let _clock = StoppedClock::new();
    let options = kernel_api_simulator::Options {
        projects: 12,
        rate_limit: Some(10),
        ..world(12)
    };
    let projects = Bench::new(options.clone(), &[]).await.api.projects();
    let flags = projects.iter().filter(|(.., archived)| !archived);
    let flags: Vec<_> = flags
        .map(|(id, ..)| format!("--kernel.project={id}"))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let bench = with_key_file(&path, options, &flags).await;
    for turn in 0..10 {
        if turn == 6 {
            bench.api.set_api_key("sk_new");
            fs::write(&path, "sk_new").unwrap();
        }
        let scrape = bench.fast_scrape().await;
        assert_eq!(scrape.errors("timeout"), 0.0, "{turn}");
        fast(tokio::time::sleep(std::time::Duration::from_secs(6))).await;
    }
}

#[tokio::test]
async fn probes_do_not_wait_for_one_that_waits_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_demo").unwrap();
    let _clock = StoppedClock::new();
    let bench = with_key_file(&path, world(10), &["--kernel.concurrency=2"]).await;
    bench.api.set_latency(std::time::Duration::from_secs(1));
    let ids = bench.ids();
    let probes = ids[..3].iter().map(|id| {
        let request = Request::everything(std::time::Duration::from_secs(9));
        bench.exporter.watcher.probe(id, request)
    });
    let probes = futures_util::future::join_all(probes);
    tokio::pin!(probes);
    // One finds out what the key is worth, and the others wait for its answer.
    tokio::select! {
        _ = &mut probes => panic!("not before the first answer"),
        () = until(|| bench.api.requests().in_flight == 1) => {}
    }
    bench.api.set_api_key("sk_new");
    fs::write(&path, "sk_new").unwrap();
    let begun = tokio::time::Instant::now();
    for probed in fast(probes).await {
        assert!(probed.unwrap().success);
    }
    assert!(begun.elapsed().as_secs() < 6, "{:?}", begun.elapsed());
}
