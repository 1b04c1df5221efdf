//! The page at `/`.

use http::{HeaderValue, Response, StatusCode, header};

use super::server::{Body, full};

/// Says what this is and where the metrics are.
pub(super) fn page(telemetry_path: &str) -> Response<Body> {
    let path = escape(telemetry_path);
    let version = env!("CARGO_PKG_VERSION");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>kernel-auth-exporter</title></head>\n<body>\n<h1>kernel-auth-exporter</h1>\n\
         <p>Prometheus exporter for Kernel's managed auth connections, version {version}.</p>\n\
         <ul><li><a href=\"{path}\">Metrics</a></li>\
         <li><a href=\"/-/healthy\">Health</a></li>\
         <li><a href=\"/-/ready\">Readiness</a></li></ul>\n</body>\n</html>\n"
    );
    let mut response = Response::new(full(html));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    let put = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, put("text/html; charset=utf-8"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        put("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, put("nosniff"));
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
