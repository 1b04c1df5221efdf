//! The floor under any exporter: fetches the same pages with the same client,
//! as many at a time, and throws them away.
//!
//! `KERNEL_BASE_URL` and `KERNEL_API_KEY` say where; the argument is how many
//! requests are in flight. Each line on standard input is a round, answered by
//! a line `PAGES BYTES SECONDS`. The first round follows the headers one by
//! one; later ones know the offsets.

#![allow(missing_docs)]

use std::env;
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};

type Failure = Box<dyn Error + Send + Sync>;

struct Floor {
    client: Client,
    base: String,
    key: HeaderValue,
}

impl Floor {
    fn from_env() -> Result<Self, Failure> {
        // As the exporter sets up its own.
        let client = Client::builder()
            .user_agent("floor")
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(Duration::from_secs(5))
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(90))
            .http2_adaptive_window(true)
            .build()?;
        Ok(Self {
            client,
            base: env::var("KERNEL_BASE_URL")?,
            key: format!("Bearer {}", env::var("KERNEL_API_KEY")?).parse()?,
        })
    }

    /// Fetches a page; its length, and the offset of the next one.
    async fn fetch(&self, offset: u64) -> Result<(usize, Option<u64>), Failure> {
        let url = format!("{}/auth/connections?limit=100&offset={offset}", self.base);
        let request = self
            .client
            .get(url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, self.key.clone());
        let mut response = request.send().await?.error_for_status()?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        let next = match header("x-has-more") {
            Some("true") => Some(
                header("x-next-offset")
                    .ok_or("more, but not where")?
                    .parse()?,
            ),
            _ => None,
        };
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
        }
        Ok((bytes, next))
    }

    async fn follow(&self) -> Result<(Vec<u64>, usize), Failure> {
        let mut offsets = vec![0];
        let mut total = 0;
        loop {
            let (bytes, next) = self.fetch(offsets[offsets.len() - 1]).await?;
            total += bytes;
            match next {
                Some(next) => offsets.push(next),
                None => return Ok((offsets, total)),
            }
        }
    }

    async fn all(&self, offsets: &[u64], in_flight: usize) -> Result<usize, Failure> {
        stream::iter(offsets)
            .map(|offset| self.fetch(*offset))
            .buffer_unordered(in_flight)
            .try_fold(0, async |total, (bytes, _)| Ok(total + bytes))
            .await
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let in_flight = env::args()
        .nth(1)
        .map_or(Ok(8), |argument| argument.parse())?;
    let floor = Floor::from_env()?;
    let mut offsets = Vec::new();
    for line in std::io::stdin().lock().lines() {
        line?;
        let started = Instant::now();
        let bytes = if offsets.is_empty() {
            let (found, bytes) = floor.follow().await?;
            offsets = found;
            bytes
        } else {
            floor.all(&offsets, in_flight).await?
        };
        let took = started.elapsed().as_secs_f64();
        writeln!(std::io::stdout(), "{} {bytes} {took}", offsets.len())?;
    }
    Ok(())
}
