#![doc = include_str!("../README.md")]

mod auth;
pub mod listener;
mod response;
pub mod server;
mod tls;
pub mod web_config;
pub mod yaml;
