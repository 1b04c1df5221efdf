//! What the server grants.

use std::time::Duration;

/// What the server grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at a time.
    pub connections: usize,
    /// Of those, connections that have not sent a whole request head yet.
    pub fresh_connections: usize,
    /// From accepting to the end of the first request head, TLS handshake
    /// included; and from the first byte of a later head to its end.
    pub header_timeout: Duration,
    /// A connection without a request for this long is closed.
    pub idle_timeout: Duration,
    /// A scraper that takes less than [`Limits::STALL_PROGRESS`] bytes of a
    /// waiting response within this time is dropped.
    pub write_stall: Duration,
    /// From the end of a request head to the last byte of the response. No
    /// scraper waits longer, so the rest would be sent to nobody.
    pub response: Duration,
    /// Bytes of a request head; at least 8192.
    pub header_bytes: usize,
    /// Bytes of a request target.
    pub uri_bytes: usize,
    /// Bytes of a request body.
    pub request_body: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub http2_streams: u32,
    /// How long running responses may take after shutdown.
    pub drain: Duration,
}

impl Limits {
    /// What counts as progress for [`Limits::write_stall`].
    pub const STALL_PROGRESS: usize = 64 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Half of the 1024 open files that most systems grant a process.
            connections: 512,
            fresh_connections: 256,
            header_timeout: Duration::from_secs(10),
            // Above the scrape intervals in use, so that scrapers keep theirs.
            idle_timeout: Duration::from_mins(3),
            write_stall: Duration::from_secs(30),
            response: Duration::from_mins(5),
            header_bytes: 16 * 1024,
            uri_bytes: 8 * 1024,
            request_body: 64 * 1024,
            http2_streams: 32,
            drain: Duration::from_secs(20),
        }
    }
}
