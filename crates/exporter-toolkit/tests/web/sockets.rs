//! Listening, sockets from systemd, and running out of files.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use exporter_toolkit::listener::{Listener, systemd_listeners};
use exporter_toolkit::server::Limits;
use exporter_toolkit::web_config::WebConfigHandle;
use tokio::net::TcpStream;

use crate::support::{Answers, Client, TestServer, get, is_free, soon, until};

async fn get_from(address: SocketAddr) -> Option<u16> {
    let stream = TcpStream::connect(address).await.ok()?;
    let mut client = Client { stream };
    client.send(&get("/")).await;
    client.read(true).await.map(|answer| answer.status)
}

async fn bind(address: &str) -> Listener {
    Listener::bind(&address.parse().expect("valid"))
        .await
        .expect("bound")
}

#[tokio::test]
async fn every_interface_of_both_families() {
    let listener = bind(":0").await;
    let port = listener.address().port();
    let dual = listener.address().is_ipv6();
    let server = TestServer::on(
        vec![listener],
        Answers::default(),
        Limits::default(),
        WebConfigHandle::disabled(),
    );
    assert_eq!(
        get_from(SocketAddr::from(([127, 0, 0, 1], port))).await,
        Some(200)
    );
    if dual {
        let loopback = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port));
        assert_eq!(get_from(loopback).await, Some(200));
    }
    server.stop().await;
}

#[tokio::test]
async fn several_addresses_one_server() {
    // No other test binds the first two.
    let mut listeners = Vec::new();
    for address in ["127.0.0.2:0", "127.0.0.3:0", "127.0.0.1:0", "localhost:0"] {
        listeners.push(bind(address).await);
    }
    // A machine without IPv6 has no such address.
    if let Ok(listener) = Listener::bind(&"[::1]:0".parse().expect("valid")).await {
        listeners.push(listener);
    }
    let addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
    let server = TestServer::on(
        listeners,
        Answers::default(),
        Limits::default(),
        WebConfigHandle::disabled(),
    );
    for address in &addresses {
        assert_eq!(get_from(*address).await, Some(200), "{address}");
    }
    assert!(!is_free(addresses[0]), "the table tells");
    server.stop().await;
    for address in &addresses[..2] {
        // A process that another test starts has our sockets too until it executes.
        until("the port to be free", || is_free(*address)).await;
    }
}

/// This test binary again, as a server of its own; it goes when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the ignored test `name` of this binary after the shell lines `before`.
fn again(name: &str, before: &str, stdin: Stdio) -> Server {
    let this = std::env::current_exe().expect("this binary");
    let child = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{before}\nexec \"$0\" --ignored --exact --nocapture sockets::{name}"
        ))
        .arg(this)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    Server(child)
}

#[tokio::test]
async fn a_socket_from_systemd() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    // systemd passes its sockets from file 3 on.
    let _server = again(
        "child_on_systemd_sockets",
        "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1",
        Stdio::from(OwnedFd::from(socket)),
    );
    assert_eq!(soon("an answer", get_from(address)).await, Some(200));
}

#[tokio::test]
#[ignore = "serves for another test"]
async fn child_on_systemd_sockets() {
    let listeners = systemd_listeners().expect("one socket");
    let server = TestServer::on(
        listeners,
        Answers::default(),
        Limits::default(),
        WebConfigHandle::disabled(),
    );
    let _ = server.serving.await;
}

#[tokio::test]
async fn no_socket_from_systemd_is_an_error() {
    let error = systemd_listeners().expect_err("none was passed");
    assert!(
        error.to_string().contains("systemd passed no socket"),
        "{error}"
    );
}

#[tokio::test]
async fn running_out_of_files_passes() {
    let mut server = again("child_with_few_files", "ulimit -n 64", Stdio::null());
    let output = BufReader::new(server.0.stdout.take().expect("piped"));
    let address: SocketAddr = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("address=")?.1.parse().ok())
        .expect("an address");
    // More than it has files for, and all of them stay.
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(address).await.expect("connected"));
    }
    soon("an answer", async {
        while get_from(address).await != Some(200) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "serves for another test"]
async fn child_with_few_files() {
    let server = TestServer::plain().await;
    eprintln!("serving");
    #[allow(clippy::print_stdout, reason = "the other test reads it")]
    {
        println!("address={}", server.address);
    }
    let _ = server.serving.await;
}
