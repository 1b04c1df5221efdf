//! `minimal [WEB_CONFIG_FILE]`: an exporter with one metric.

use std::sync::Arc;

use exporter_toolkit::listener::Listen;
use exporter_toolkit::server::{self, Body, CancellationToken, Handler, Limits, Peer, RequestBody};
use exporter_toolkit::web_config::WebConfigHandle;
use http::{Request, Response, StatusCode};

pub(crate) struct Exporter;

impl Handler for Exporter {
    async fn handle(&self, request: Request<RequestBody>, _: Peer) -> Response<Body> {
        match request.uri().path() {
            "/metrics" => server::plain(StatusCode::OK, "example_answer 42"),
            _ => server::plain(StatusCode::NOT_FOUND, "the metrics are at /metrics"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listeners = Listen::Addresses(vec![":9100".parse()?]).bind().await?;
    let web_config = WebConfigHandle::new(std::env::args_os().nth(1).map(Into::into))?;
    let (shutdown, exporter) = (CancellationToken::new(), Arc::new(Exporter));
    server::serve(listeners, exporter, Limits::default(), web_config, shutdown).await;
    Ok(())
}
