//! Prometheus exporter for Kernel's managed auth connections.

pub mod app;
pub mod assets;
pub mod cli;
pub mod collect;
pub mod config;
pub mod exposition;
pub mod kernel;
pub mod model;
pub mod simulator;
pub mod telemetry;
pub mod web;
