//! Web configuration: the files, and what a server makes of them.

#[path = "web_config/access.rs"]
mod access;
#[path = "web_config/handshakes.rs"]
mod handshakes;
#[path = "web_config/rotation.rs"]
mod rotation;
#[path = "web_config/samples.rs"]
mod samples;
#[path = "web_server/support.rs"]
mod support;
#[path = "web_config/tls_client.rs"]
mod tls_client;
