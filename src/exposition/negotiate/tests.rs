use proptest::prelude::*;

use super::*;

const UTF8: Escaping = Escaping::AllowUtf8;
const UNDERSCORES: Escaping = Escaping::Underscores;

#[test]
fn formats() {
    for (accept, expected) in [
        ("", Format::Text004),
        ("*/*", Format::Text004),
        ("text/plain", Format::Text004),
        ("text/*", Format::Text004),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Format::Text004,
        ),
        ("application/json", Format::Text004),
        // Prometheus 2.42.
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics100(UNDERSCORES),
        ),
        // Prometheus 2.30: a version that is not written here.
        (
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::Text004,
        ),
        // Prometheus 3.
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics100(UTF8),
        ),
        // Prometheus 3 with protobuf first, which is not written here.
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics100(UNDERSCORES),
        ),
        // Prometheus 3 with scrape_protocols: [PrometheusText1.0.0].
        (
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5",
            Format::Text100(UTF8),
        ),
        (
            "text/plain;version=1.0.0;escaping=values, text/plain;version=0.0.4",
            Format::Text100(Escaping::Values),
        ),
        (
            "text/plain;version=\"1.0.0\";escaping=dots",
            Format::Text100(Escaping::Dots),
        ),
        (
            "TEXT/PLAIN; VERSION=1.0.0; ESCAPING=made-up",
            Format::Text100(UNDERSCORES),
        ),
        (
            "application/openmetrics-text",
            Format::OpenMetrics100(UNDERSCORES),
        ),
        ("application/*", Format::OpenMetrics100(UNDERSCORES)),
        (
            "application/openmetrics-text;version=1.0.0;q=0,*/*",
            Format::Text004,
        ),
        (
            "text/plain;version=0.0.4;q=0,text/plain",
            Format::Text100(UNDERSCORES),
        ),
        ("text/plain;version=2.0.0,*/*;q=0.1", Format::Text004),
        ("*/*;q=0", Format::Text004),
        (
            "application/openmetrics-text;q=1.5,text/plain;q=0.1",
            Format::Text004,
        ),
        ("application/openmetrics-text;q=,;;;=,/,//", Format::Text004),
    ] {
        assert_eq!(format(Some(accept)), expected, "{accept}");
    }
    assert_eq!(format(None), Format::Text004);
}

#[test]
fn gzip_for_who_asks_for_it() {
    for (accept, expected) in [
        ("", false),
        ("gzip", true),
        ("GZip", true),
        ("x-gzip", true),
        ("deflate, gzip;q=1.0, *;q=0.5", true),
        ("gzip;q=0", false),
        ("gzip;q=0.000", false),
        ("gzip;q=0, *", false),
        ("*", true),
        ("*;q=0", false),
        ("*;q=0, gzip", true),
        ("identity", false),
        ("identity, gzip;q=0.5", false),
        ("identity;q=0.5, gzip", true),
        ("identity;q=0", false),
        ("identity;q=0, gzip", true),
        ("identity;q=0, *", true),
        ("br, zstd", false),
        ("gzip;q=banana", false),
    ] {
        assert_eq!(gzip(Some(accept)), expected, "{accept}");
    }
    assert!(!gzip(None));
}

#[test]
fn content_types_name_version_and_escaping() {
    assert_eq!(
        Format::Text004.content_type(),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(
        Format::Text100(UTF8).content_type(),
        "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
    );
    assert_eq!(
        Format::OpenMetrics100(UNDERSCORES).content_type(),
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
    );
}

#[test]
fn what_is_too_long_is_not_read() {
    let long = format!("{}application/openmetrics-text", "a/b,".repeat(10_000));
    assert_eq!(format(Some(&long)), Format::Text004);
    let many = format!("{}gzip", ",".repeat(MAX_ALTERNATIVES));
    assert!(!gzip(Some(&many)));
}

proptest! {
    #[test]
    fn anything_is_answered(header in "\\PC{0,300}") {
        let _ = (format(Some(&header)), gzip(Some(&header)));
    }

    #[test]
    fn nearly_right_is_answered(header in "[a-z*/;=,. \"q01]{0,200}") {
        let _ = (format(Some(&header)), gzip(Some(&header)));
    }
}
