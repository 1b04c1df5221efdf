//! Configuration.

pub mod web_config;
