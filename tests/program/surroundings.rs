//! What is around the process: the service manager, the system's certificates.

use tokio::net::UnixDatagram;

use super::support::{Api, KEY, PATIENCE, Program};

async fn message(from: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let received = tokio::time::timeout(PATIENCE, from.recv(&mut buffer)).await;
    let length = received.expect("a message").unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn systemd_hears_of_start_reload_and_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let exporter = Program::start(
        &["demo", "--web.listen-address=127.0.0.1:0"],
        &[("NOTIFY_SOCKET", path.to_str().unwrap())],
    );
    assert_eq!(message(&manager).await, "READY=1\n");
    // Ready means that it answers.
    exporter.get("/-/ready").await;

    exporter.signal("HUP");
    let reloading = message(&manager).await;
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    let since = since.expect("both in one message").trim_end();
    assert!(since.parse::<u64>().unwrap() > 0);
    assert_eq!(message(&manager).await, "READY=1\n");

    exporter.signal("TERM");
    assert_eq!(message(&manager).await, "STOPPING=1\n");
    assert_eq!(exporter.ended().await.code(), Some(0));
}

#[tokio::test]
async fn without_certificate_authorities_it_brings_its_own() {
    const WARNING: &str = "no certificate authorities on this system";
    let nowhere = ("SSL_CERT_FILE", "/nowhere/ca.pem");
    let listen = "--web.listen-address=127.0.0.1:0";

    let exporter = Program::start(
        &[listen],
        &[
            ("KERNEL_BASE_URL", "https://127.0.0.1:9"),
            ("KERNEL_API_KEY", KEY),
            nowhere,
        ],
    );
    exporter.get("/-/ready").await;
    let lines = exporter.logged(WARNING).await;
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("/nowhere/ca.pem"), "{}", lines[0]);

    // Plain HTTP needs none.
    let api = Api::small().await;
    let exporter = Program::start(
        &[listen],
        &[
            ("KERNEL_BASE_URL", &api.url),
            ("KERNEL_API_KEY", KEY),
            nowhere,
        ],
    );
    exporter.scrape().await;
    assert!(!exporter.stderr().contains(WARNING));
}

#[tokio::test]
async fn packages_get_man_pages_and_completions() {
    let directory = tempfile::tempdir().unwrap();
    let into = directory.path().join("documents");
    let made = Program::start(&["generate", into.to_str().unwrap()], &[]);
    assert_eq!(made.ended().await.code(), Some(0));
    for (name, text) in [
        ("kernel-auth-exporter.1", "kernel.api\\-key\\-file"),
        ("kernel-auth-exporter-once.1", "format"),
        ("kernel-auth-exporter.bash", "--kernel.api-key-file"),
        ("_kernel-auth-exporter", "--kernel.api-key-file"),
        ("kernel-auth-exporter.fish", "kernel.api-key-file"),
    ] {
        let written = std::fs::read_to_string(into.join(name)).unwrap();
        assert!(written.contains(text), "{name}");
        // A command for those who make packages is not for those who use them.
        assert!(
            !name.ends_with(".1") || !written.contains("generate"),
            "{name}"
        );
    }
}
