//! `GET /auth/connections/{id}/events`: a flow, followed as server-sent events.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::body::Body;
use super::clock::SECOND;
use super::connection::Connection;
use super::json::{Object, stamp};
use super::render;
use super::reply::Reply;
use super::state::{Shared, lock};
use super::values::FlowStatus;

/// Between heartbeats, on the world's clock.
const HEARTBEAT: i64 = 15 * SECOND;

/// No heartbeats closer than this, however fast the world is.
const HEARTBEAT_LEAST: Duration = Duration::from_millis(20);

struct Following {
    shared: Arc<Shared>,
    id: Arc<str>,
    changed: watch::Receiver<u64>,
    /// The version of the flow that was sent last.
    sent: Option<u32>,
    heartbeat: Instant,
    ready: VecDeque<String>,
    over: bool,
}

/// The reply with the stream.
pub(crate) fn answer(shared: Arc<Shared>, id: Arc<str>) -> Reply {
    let changed = shared.changed.subscribe();
    let heartbeat = Instant::now() + heartbeat_period(&shared);
    let following = Following {
        shared,
        id,
        changed,
        sent: None,
        heartbeat,
        ready: VecDeque::new(),
        over: false,
    };
    let mut reply = Reply::json(200, String::new());
    reply.header("content-type", "text/event-stream");
    reply.header("x-sse-content-type", "application/json");
    reply.header("cache-control", "no-cache");
    reply.stream = Some(Body::chunks(stream::unfold(
        following,
        |mut following| async {
            let text = following.next().await?;
            Some((Ok::<_, io::Error>(Bytes::from(text)), following))
        },
    )));
    reply
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
            let moved = tokio::time::sleep(wait.unwrap_or(Duration::MAX));
            tokio::select! {
                () = moved => {}
                changed = self.changed.changed() => self.over |= changed.is_err(),
                () = tokio::time::sleep_until(self.heartbeat) => {
                    self.heartbeat = Instant::now() + heartbeat_period(&self.shared);
                    let now = lock(&self.shared.world).clock.now();
                    let heartbeat = json!({"event": "sse_heartbeat", "timestamp": stamp(now)});
                    self.ready.push_back(format!("data: {heartbeat}\n\n"));
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
            let error = json!({
                "event": "error",
                "timestamp": stamp(now),
                "error": {"code": "no_active_flow", "message": "No login flow was ever started"},
            });
            self.ready.push_back(format!("data: {error}\n\n"));
            self.over = true;
            return None;
        };
        if self.sent != Some(connection.version) {
            self.sent = Some(connection.version);
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
