//! What `once` and `assets` write, and where to.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kernel_api_simulator::Fault;

use super::support::{Api, KEY, Metrics, Program, world};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kernel-auth-exporter");

/// A line of shell in which `$0` is the program and `$1` the directory.
async fn shell(api: &Api, line: &str, directory: &Path) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", line, PROGRAM]).arg(directory);
    command.env("KERNEL_BASE_URL", &api.url);
    command.env("KERNEL_API_KEY", KEY).stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output());
    ended.await.unwrap().unwrap()
}

#[track_caller]
fn is_metrics(text: impl Into<Vec<u8>>) {
    let text = String::from_utf8(text.into()).unwrap();
    assert_eq!(Metrics::new(text).value("kernel_auth_up"), Some(1.0));
}

#[tokio::test]
async fn once_replaces_a_file_as_a_whole() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kernel_auth.prom");
    fs::write(&path, "of yesterday").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    let flag = format!("--output={}", path.display());
    let ended = api.once(&[&flag]).await;
    assert_eq!((ended.code(), &*ended.stdout), (Some(0), ""));
    let text = Metrics::new(fs::read_to_string(&path).unwrap());
    assert_eq!(text.value("kernel_auth_up"), Some(1.0));
    let metadata = fs::metadata(&path).unwrap();
    assert_ne!(metadata.ino(), before, "written in place, not atomically");
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        1,
        "nothing beside it"
    );
    // A failure is news as well: the file says that the API is not up.
    api.control.add_fault(Fault::status(403));
    assert_eq!(api.once(&[&flag]).await.code(), Some(1));
    let text = Metrics::new(fs::read_to_string(&path).unwrap());
    assert_eq!(text.value("kernel_auth_up"), Some(0.0));
    let nowhere = directory.path().join("no/such/directory");
    let ended = api
        .once(&[&format!("--output={}", nowhere.display())])
        .await;
    assert_eq!(ended.code(), Some(1));
    assert!(
        ended.stderr.contains("no/such/directory"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn links_are_followed_and_devices_and_pipes_are_written_to() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/old"), "of yesterday").unwrap();
    for (link, to) in [
        ("old", "elsewhere/old"),
        ("new", "elsewhere/new"),
        ("full", "/dev/full"),
        ("out", "/dev/stdout"),
    ] {
        symlink(to, at(link)).unwrap();
    }
    for name in ["old", "new"] {
        let line = format!("\"$0\" once --output=\"$1/{name}\"");
        assert!(shell(&api, &line, directory.path()).await.status.success());
        is_metrics(fs::read(at("elsewhere").join(name)).unwrap());
        assert_eq!(
            fs::read_dir(at("elsewhere")).unwrap().count(),
            1 + usize::from(name == "new")
        );
    }

    let line = "\"$0\" once --output=\"$1/full\"";
    let ended = shell(&api, line, directory.path()).await;
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("No space left"), "{said}");

    for output in ["-", "/dev/stdout", "\"$1/out\""] {
        let line = format!("cd \"$1\" && \"$0\" once --output={output}");
        is_metrics(shell(&api, &line, directory.path()).await.stdout);
        // What stands in a file already stays.
        let line = format!("{{ echo '# before'; {line}; }} > \"$1/file\"");
        assert!(shell(&api, &line, directory.path()).await.status.success());
        let text = fs::read_to_string(at("file")).unwrap();
        assert!(text.starts_with("# before\n"), "{output}: {text}");
        is_metrics(text);
    }
    assert!(!at("-").exists());

    let line =
        "mkfifo \"$1/pipe\" && { cat \"$1/pipe\" & } && \"$0\" once --output=\"$1/pipe\" && wait";
    is_metrics(shell(&api, line, directory.path()).await.stdout);
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    for link in ["old", "new", "full", "out"] {
        assert!(
            fs::symlink_metadata(at(link)).unwrap().is_symlink(),
            "{link}"
        );
    }
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    // More than a pipe holds.
    let api = Api::with(world(500)).await;
    let directory = tempfile::tempdir().unwrap();
    let read = "head -c 1 \"$1/pipe\" > \"$1/read\"";
    let line =
        format!("mkfifo \"$1/pipe\" && {{ {read} & }} && \"$0\" once --output=\"$1/pipe\" && wait");
    let ended = shell(&api, &line, directory.path()).await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(fs::read(directory.path().join("read")).unwrap(), b"#");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let api = Api::small().await;
    let ended = api.once(&["--output=/nowhere/metrics.prom"]).await;
    assert_eq!(ended.code(), Some(1));
    let words = "/nowhere/metrics.prom: there is no such directory";
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
    assert!(!ended.stderr.contains(".kernel-auth-"), "{}", ended.stderr);
    // Said before the API is asked.
    assert_eq!(api.control.requests().total, 0);
}

#[tokio::test]
async fn the_umask_is_obeyed_and_an_owner_is_kept() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metrics.prom");
    let once = "\"$0\" once --output=\"$1/metrics.prom\"";
    for (umask, mode) in [("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let line = format!("umask {umask} && {once}");
        assert!(shell(&api, &line, directory.path()).await.status.success());
        let found = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode, "umask {umask}");
        fs::remove_file(&path).unwrap();
    }
    fs::write(&path, "of yesterday").unwrap();
    // Only root may give a file away.
    if chown(&path, Some(12_345), Some(23_456)).is_ok() {
        assert!(shell(&api, once, directory.path()).await.status.success());
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid()), (12_345, 23_456));
        is_metrics(fs::read(&path).unwrap());
    }
}

#[tokio::test]
async fn a_reader_that_went_away_is_no_failure() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let into = directory.path().display().to_string();
    for arguments in [&["assets", into.as_str()][..], &["once"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(PROGRAM);
        command.args(arguments).stdout(writer);
        command.env("KERNEL_BASE_URL", &api.url);
        command.env("KERNEL_API_KEY", KEY);
        let ended = tokio::task::spawn_blocking(move || command.output());
        let ended = ended.await.unwrap().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success(), "{arguments:?}: {said}");
        assert!(!said.contains("pipe"), "{said}");
    }
    assert!(directory.path().join("alerts").exists(), "all is written");
}

#[tokio::test]
async fn several_files_of_one_directory_have_no_series_in_common() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), KEY).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for account in ["one", "two"] {
        let config = directory.path().join(format!("{account}.yml"));
        fs::write(
            &config,
            format!("accounts: [{{name: {account}, api_key_file: key}}]"),
        )
        .unwrap();
        let flag = format!("--config.file={}", config.display());
        let env = [("KERNEL_BASE_URL", &*api.url)];
        let arguments = ["once", &*flag, "--disable-exporter-metrics"];
        let ended = Program::start(&arguments, &env).ended().await;
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        let text = Metrics::new(ended.stdout);
        assert!(text.has("kernel_auth_up") && text.has("kernel_auth_connection_status"));
        for (series, _) in text.samples() {
            assert!(seen.insert(series.to_owned()), "{series} is in both");
        }
    }
}
