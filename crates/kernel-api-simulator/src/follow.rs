//! `GET /auth/connections/{id}/events`: a flow, followed as server-sent events.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Answer;
use super::body::Body;
use super::clock::SECOND;
use super::connection::Connection;
use super::http::{Shared, lock};
use super::json::Object;
use super::render;
use super::values::FlowStatus;

/// Between heartbeats, on the world's clock.
const HEARTBEAT: i64 = 15 * SECOND;

/// No heartbeats closer than this, however fast the world is.
const HEARTBEAT_LEAST: Duration = Duration::from_millis(20);

struct Following {
    shared: Arc<Shared>,
    id: Arc<str>,
    changed: watch::Receiver<u64>,
    /// The version of the flow that was told last.
    told: Option<u32>,
    heartbeat: Instant,
    ready: VecDeque<String>,
    over: bool,
}

/// The answer with the stream.
pub(crate) fn answer(shared: Arc<Shared>, id: Arc<str>) -> Answer {
    let changed = shared.changed.subscribe();
    let heartbeat = Instant::now() + heartbeat_period(&shared);
    let following = Following {
        shared,
        id,
        changed,
        told: None,
        heartbeat,
        ready: VecDeque::new(),
        over: false,
    };
    let mut answer = Answer::json(200, String::new());
    answer.header("content-type", "text/event-stream");
    answer.header("x-sse-content-type", "application/json");
    answer.header("cache-control", "no-cache");
    answer.stream = Some(Body::chunks(stream::unfold(
        following,
        |mut following| async {
            let text = following.next().await?;
            Some((Ok::<_, io::Error>(Bytes::from(text)), following))
        },
    )));
    answer
}

fn heartbeat_period(shared: &Shared) -> Duration {
    let clock = &lock(&shared.world).clock;
    let period = clock.until(clock.now() + HEARTBEAT);
    period
        .unwrap_or(Duration::from_secs(15))
        .max(HEARTBEAT_LEAST)
}

impl Following {
    /// The next event's text; `None` when the stream is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(text);
            }
            if self.over {
                return None;
            }
            let wait = self.look();
            if !self.ready.is_empty() || self.over {
                continue;
            }
            let moved = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = moved => {}
                changed = self.changed.changed() => self.over |= changed.is_err(),
                () = tokio::time::sleep_until(self.heartbeat) => {
                    self.heartbeat = Instant::now() + heartbeat_period(&self.shared);
                    let now = lock(&self.shared.world).clock.now();
                    let mut text = String::from("data: ");
                    let mut object =
                        Object::open(&mut text, false, super::connection::TimeStyle::Millis);
                    object.text("event", "sse_heartbeat");
                    object.time("timestamp", Some(now));
                    object.close();
                    text.push_str("\n\n");
                    self.ready.push_back(text);
                }
            }
        }
    }

    /// Tells what has changed; returns how long until something is due.
    fn look(&mut self) -> Option<Duration> {
        let mut world = lock(&self.shared.world);
        let now = world.catch_up();
        let Some(index) = world.find(&self.id) else {
            self.over = true;
            return None;
        };
        let connection = world.connection(index);
        let Some(flow) = &connection.flow else {
            let mut text = String::from("data: ");
            let mut object = Object::open(&mut text, false, connection.settings.times);
            object.text("event", "error");
            object.time("timestamp", Some(now));
            object.raw(
                "error",
                Some(r#"{"code":"no_active_flow","message":"No login flow was ever started"}"#),
            );
            object.close();
            text.push_str("\n\n");
            self.ready.push_back(text);
            self.over = true;
            return None;
        };
        if self.told != Some(connection.version) {
            self.told = Some(connection.version);
            self.ready.push_back(state(connection, now));
            self.over = flow.status != FlowStatus::InProgress;
        }
        // A little late rather than a little early.
        let wait = world.clock.until(connection.due.flow)?;
        Some(wait + Duration::from_millis(1))
    }
}

fn state(connection: &Connection, now: i64) -> String {
    let mut text = String::from("data: ");
    let mut object = Object::open(&mut text, false, connection.settings.times);
    object.text("event", "managed_auth_state");
    object.time("timestamp", Some(connection.quantise(now)));
    if let Some(flow) = &connection.flow {
        object.text("flow_status", flow.status.as_str());
        object.text("flow_step", flow.step.as_str());
        object.text("flow_type", flow.kind.as_str());
    }
    render::write_payload(&mut object, connection);
    object.close();
    text.push_str("\n\n");
    text
}
