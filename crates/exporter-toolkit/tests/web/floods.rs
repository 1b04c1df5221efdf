//! Strangers who want to cost more than they may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exporter_toolkit::server::{Limits, RequestLimit};
use exporter_toolkit::web_config::WebConfigHandle;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Answers, TestServer, get, soon, until};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = TestServer::with(Limits {
        header_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    for beginning in [
        "",
        "G",
        "GET / HTTP/1.1\r\nHost: t",
        "PRI * HTTP/2.0\r\n\r\nSM",
    ] {
        let mut client = server.connect().await;
        client.send(beginning).await;
        client.closed().await;
    }
    // The same for a later one, whose first byte came with the bytes before.
    let mut client = server.connect().await;
    client.send(&get("/")).await;
    client.answer().await;
    client.send("GET /").await;
    client.closed().await;
}

#[tokio::test]
async fn dripping_does_not_buy_time() {
    let server = TestServer::with(Limits {
        header_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nX: ").await;
    soon("the end of the connection", async {
        while client.stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn idle_connections_end() {
    let server = TestServer::with(Limits {
        idle_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    let mut client = server.connect().await;
    client.send(&get("/")).await;
    client.answer().await;
    client.closed().await;
}

#[tokio::test]
async fn a_scraper_that_stops_reading_is_dropped() {
    let server = TestServer::with(Limits {
        write_stall: SHORT,
        ..Limits::default()
    })
    .await;
    let mut client = server.connect().await;
    client.send(&get("/endless")).await;
    until("the response to be given up", || {
        server.answers.abandoned() == 1
    })
    .await;

    // HTTP/2: the connection stays usable, only this response gets no window.
    let http2 = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let url = format!("http://{}/endless", server.address);
    let response = http2.get(url).send().await.expect("a head");
    until("the response to be given up", || {
        server.answers.abandoned() == 2
    })
    .await;
    drop(response);
}

#[tokio::test]
async fn no_response_takes_for_ever() {
    let server = TestServer::start(
        Answers::with_gate(),
        Limits {
            response: SHORT,
            ..Limits::default()
        },
        WebConfigHandle::disabled(),
    )
    .await;
    let mut client = server.connect().await;
    client.send(&get("/gate")).await;
    client.closed().await;
    // Reading steadily does not help either.
    let mut client = server.connect().await;
    client.send(&get("/endless")).await;
    let mut nowhere = tokio::io::sink();
    let read = tokio::io::copy(&mut client.stream, &mut nowhere);
    let _ = soon("the end of an endless response", read).await;
    assert_eq!(server.answers.abandoned(), 1);
}

#[tokio::test]
async fn busy_connections_stay_and_the_next_is_refused() {
    let server = TestServer::start(
        Answers::with_gate(),
        Limits {
            connections: 3,
            fresh_connections: 3,
            ..Limits::default()
        },
        WebConfigHandle::disabled(),
    )
    .await;
    let mut busy = Vec::new();
    for number in 1..=3 {
        let mut client = server.connect().await;
        client.send(&get("/gate")).await;
        until("the request", || server.answers.arrived() == number).await;
        busy.push(client);
    }
    server.connect().await.closed().await;
    server.answers.open_gate();
    for client in &mut busy {
        assert_eq!(client.answer().await.body, "through\n");
    }
    // Now the longest idle makes room.
    assert_eq!(server.get("/").await.status, 200);
    busy[0].closed().await;
    busy[2].send(&get("/")).await;
    assert_eq!(busy[2].answer().await.status, 200);
}

/// Those who never read their answer take all permits; a handler at work keeps
/// its own, and so does who reads.
#[tokio::test]
async fn who_never_reads_gives_its_permit_up() {
    let answers = Answers {
        limit: Some(RequestLimit::new(3)),
        ..Answers::with_gate()
    };
    let server = TestServer::start(answers, Limits::default(), WebConfigHandle::disabled()).await;
    let mut waiting = server.connect().await;
    waiting.send(&get("/gate")).await;
    until("the request", || server.answers.arrived() == 1).await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        let mut client = server.connect().await;
        client.send(&get("/endless")).await;
        client.head_answer().await;
        silent.push(client);
    }
    assert_eq!(server.get("/free").await.status, 200);
    soon("a permit", async {
        while server.get("/").await.status == 503 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(server.answers.abandoned(), 1);
    server.answers.open_gate();
    assert_eq!(waiting.answer().await.body, "through\n");
}

/// They pipeline and never read, and there is no place left but theirs.
#[tokio::test]
async fn who_never_reads_gives_its_place_up() {
    let limits = Limits {
        connections: 3,
        fresh_connections: 3,
        ..Limits::default()
    };
    let server = TestServer::with(limits).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.send(&get("/endless").repeat(10)).await;
        client.head_answer().await;
        silent.push(client);
    }
    let newcomer = soon("a place", async {
        loop {
            let mut client = server.connect().await;
            // Fails when it was refused, as reading does.
            let _ = client.stream.write_all(get("/").as_bytes()).await;
            if let Some(answer) = client.read(true).await {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(newcomer.status, 200);
    assert_eq!(server.answers.abandoned(), 1);
}

/// How many connections a flood has. Both ends are in this process, so twice
/// as many files must be allowed; `FLOOD_CONNECTIONS` asks for another number.
fn flood_size() -> usize {
    let asked = std::env::var("FLOOD_CONNECTIONS").ok();
    let asked = asked.map_or(2_000, |number| number.parse().expect("a number"));
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(1024usize);
    // The server holds 600 at most; the rest are the flood's own ends.
    let possible = files.saturating_sub(800);
    if possible < asked {
        eprintln!("{files} open files allow a flood of {possible} connections only");
    }
    asked.min(possible)
}

/// Each sends one byte a second and comes back when it is thrown out.
async fn drip(address: std::net::SocketAddr, end: CancellationToken, open: Arc<AtomicUsize>) {
    let head = get(&format!("/{}", "x".repeat(4000)));
    let dripping = async {
        loop {
            let Ok(mut stream) = TcpStream::connect(address).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            open.fetch_add(1, Ordering::SeqCst);
            for byte in head.as_bytes().chunks(1) {
                if stream.write_all(byte).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    tokio::select! {
        () = end.cancelled() => {}
        () = dripping => {}
    }
}

/// A flood on a thread of its own, as strangers have machines of their own.
struct Flood {
    end: CancellationToken,
    open: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<()>,
}

impl Flood {
    fn start(address: std::net::SocketAddr, size: usize) -> Self {
        let end = CancellationToken::new();
        let open = Arc::new(AtomicUsize::new(0));
        let (ends, opens) = (end.clone(), Arc::clone(&open));
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async {
                    let drips =
                        (0..size).map(|_| tokio::spawn(drip(address, ends.clone(), opens.clone())));
                    futures_util::future::join_all(drips.collect::<Vec<_>>()).await;
                });
        });
        Self { end, open, thread }
    }

    /// Connections that were opened so far.
    fn opened(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn stop(self) {
        self.end.cancel();
        self.thread.join().expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_a_second_from_thousands_leaves_scrapes_alone() {
    let server = TestServer::plain().await;
    let mut kept = server.connect().await;
    kept.send(&get("/")).await;
    kept.answer().await;

    let size = flood_size();
    let flood = Flood::start(server.address, size);
    let mut slowest = Duration::ZERO;
    let mut scrapes = 0;
    // While they come, and for a while after: those thrown out come back.
    while flood.opened() < size * 2 {
        let begun = std::time::Instant::now();
        assert_eq!(server.get("/scrape").await.status, 200);
        kept.send(&get("/")).await;
        assert_eq!(kept.answer().await.status, 200);
        slowest = slowest.max(begun.elapsed());
        scrapes += 1;
    }
    eprintln!("{size} connections, {scrapes} scrapes, the slowest took {slowest:?}");
    flood.stop();
    assert!(scrapes > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_that_say_nothing_leave_scrapes_alone() {
    let server = TestServer::plain().await;
    let mut kept = server.connect().await;
    kept.send(&get("/")).await;
    kept.answer().await;
    let size = flood_size();
    let mut crowd = Vec::with_capacity(size);
    for _ in 0..size {
        crowd.push(server.connect().await);
    }
    // Behind all of them in the queue.
    let begun = std::time::Instant::now();
    assert_eq!(server.get("/healthy").await.status, 200);
    eprintln!("{size} connections, an answer after {:?}", begun.elapsed());
    kept.send(&get("/")).await;
    assert_eq!(kept.answer().await.status, 200);
}
