//! `check-config`: what the configuration says, and what the API says to it.

mod advice;
mod cost;
mod findings;
mod online;
mod report;

use exporter_toolkit::web_config::{WebConfig, WebConfigError};

use crate::config::Config;

pub(crate) use online::online;

/// What was understood, in one line, where neither keys nor certificates are.
pub(crate) fn syntax(config: &Config) -> Result<String, WebConfigError> {
    if let Some(path) = &config.web.config_file {
        WebConfig::check_syntax(path)?;
    }
    Ok(format!(
        "{}; neither keys nor certificates were read",
        config.summary()
    ))
}
