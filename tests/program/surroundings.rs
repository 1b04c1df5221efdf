//! What is around the process: the service manager, the system's certificates.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixDatagram};

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

/// A proxy that says what it was asked for and lets nothing through.
struct Proxy {
    listener: TcpListener,
    url: String,
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://u:s3cret@{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// The first line that it is sent.
    async fn asked(&self) -> String {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(2).any(|window| window == b"\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
        }
        let refused = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refused).await.unwrap();
        let head = String::from_utf8(head).unwrap();
        head.lines().next().unwrap().to_owned()
    }
}

fn behind(variables: &[(&str, &str)], api: &str) -> Program {
    let mut env = vec![("KERNEL_BASE_URL", api), ("KERNEL_API_KEY", KEY)];
    env.extend(variables);
    let flags = ["--web.listen-address=127.0.0.1:0", "--kernel.allow-http"];
    Program::start(&flags, &env)
}

#[tokio::test]
async fn a_proxy_is_taken_as_the_environment_says() {
    const PROXY: &str = "the proxy's URL";
    const NOBODY: &str = "http://127.0.0.1:9";
    let (secure, plain) = ("https://api.invalid", "http://api.invalid:8080");
    for (api, variables, asked) in [
        (
            secure,
            &[("HTTPS_PROXY", PROXY)][..],
            "CONNECT api.invalid:443",
        ),
        (
            secure,
            &[("HTTPS_PROXY", ""), ("https_proxy", PROXY)],
            "CONNECT api.invalid:443",
        ),
        (
            secure,
            &[("ALL_PROXY", PROXY), ("NO_PROXY", "")],
            "CONNECT api.invalid:443",
        ),
        (
            secure,
            &[("HTTPS_PROXY", PROXY), ("NO_PROXY", "api.invalid:80")],
            "CONNECT api.invalid:443",
        ),
        (
            plain,
            &[("HTTP_PROXY", PROXY), ("HTTPS_PROXY", "nonsense://")],
            "GET http://api.invalid:8080/",
        ),
    ] {
        let proxy = Proxy::start().await;
        let url = proxy.url.as_str();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, if *value == PROXY { url } else { value }))
            .collect();
        let exporter = behind(&variables, api);
        let said = tokio::select! {
            said = proxy.asked() => said,
            scrape = exporter.scrape() => panic!("{variables:?}: not asked, {}", scrape.text),
        };
        assert!(said.starts_with(asked), "{variables:?}: {said}");
    }
    for (api, list) in [
        (secure, "other.example, api.invalid:443"),
        (secure, ".invalid"),
        (plain, "api.invalid:8080"),
        (plain, "*"),
    ] {
        let variables = [
            ("HTTPS_PROXY", NOBODY),
            ("HTTP_PROXY", NOBODY),
            ("no_proxy", list),
        ];
        let exporter = behind(&variables, api);
        exporter.scrape().await;
        // There is no such host, which only a direct way notices.
        exporter.logged("reason=dns").await;
    }
}

#[tokio::test]
async fn a_proxy_that_is_none_is_an_error() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        for value in ["socks5://u:s3cret@proxy.example", "http://u:s3cret@"] {
            let exporter = behind(&[(name, value)], "https://api.invalid");
            let ended = exporter.ended().await;
            assert_eq!(ended.code(), Some(1), "{name}={value}");
            assert!(ended.stderr.contains(name), "{}", ended.stderr);
            assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn variables_that_are_empty_are_not_set() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    // Some editors put a byte order mark in front.
    std::fs::write(&key, format!("\u{feff}{KEY}\r\n")).unwrap();
    let key = key.to_str().unwrap();
    let file = directory.path().join("config.yml");
    let accounts = format!("accounts: [{{name: main, api_key_file: {key}}}]");
    std::fs::write(
        &file,
        format!("\u{feff}api: {{url: {}}}\n{accounts}\n", api.url),
    )
    .unwrap();
    let web = directory.path().join("web.yml");
    std::fs::write(&web, "\u{feff}rate_limit: {interval: 0s, burst: 1}\n").unwrap();
    let config = format!("--config.file={}", file.display());
    let web = format!("--web.config.file={}", web.display());
    let url = ("KERNEL_BASE_URL", api.url.as_str());
    let empty = [
        "KERNEL_PROJECT",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_DIR",
    ];
    for (flags, variables) in [
        (
            vec![],
            vec![url, ("KERNEL_API_KEY", KEY), ("KERNEL_API_KEY_FILE", "")],
        ),
        (
            vec![],
            vec![url, ("KERNEL_API_KEY", ""), ("KERNEL_API_KEY_FILE", key)],
        ),
        (
            vec![config.as_str(), web.as_str()],
            vec![
                ("KERNEL_BASE_URL", ""),
                ("KERNEL_API_KEY", ""),
                ("KERNEL_API_KEY_FILE", ""),
            ],
        ),
    ] {
        let variables = [variables, empty.map(|name| (name, "")).to_vec()].concat();
        let flags = [&["--web.listen-address=127.0.0.1:0"], &*flags].concat();
        let exporter = Program::start(&flags, &variables);
        assert!(exporter.get("/metrics").await.contains("kernel_auth_up"));
        let up = exporter.scrape().await;
        let up: Vec<_> = up.of("kernel_auth_up").map(|(_, value)| value).collect();
        assert_eq!(up, [1.0], "{variables:?}");
    }
    let none = Program::start(&[], &[("KERNEL_API_KEY", ""), ("KERNEL_API_KEY_FILE", "")]);
    assert_eq!(none.ended().await.code(), Some(2));
}

/// What a pipe held is gone when the configuration is read again.
#[tokio::test]
async fn a_configuration_that_cannot_be_read_again_is_none() {
    let ended = Program::exporter("http://127.0.0.1:1", KEY, &["--config.file=/dev/null"]);
    let ended = ended.ended().await;
    assert_eq!(ended.code(), Some(1));
    let why = "/dev/null: not a regular file";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
}
