//! Families that the `prometheus` crate gathered, in our formats.

use std::time::Duration;

use prometheus::proto::{Gauge, Metric, MetricFamily, MetricType};

use super::catalogue::{Family, Kind};
use super::{Format, number, render};
use crate::model::escape_label_into;

/// Appends `family`. Its help and unit are those of `listed`, its entry in the
/// catalogue; without one, of what was gathered.
pub(super) fn write(
    out: &mut Vec<u8>,
    family: &MetricFamily,
    listed: Option<&Family>,
    format: Format,
) {
    if family.get_metric().is_empty() {
        return;
    }
    let kind = match family.get_field_type() {
        MetricType::COUNTER => Kind::Counter,
        MetricType::HISTOGRAM => Kind::Histogram,
        MetricType::GAUGE => Kind::Gauge,
        // Nothing in this program makes one.
        MetricType::SUMMARY | MetricType::UNTYPED => return,
    };
    let name = family.name();
    let open_metrics = format.is_open_metrics();
    let bare = match kind {
        Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
        Kind::Gauge | Kind::Histogram => name,
    };
    let head_name = if open_metrics { bare } else { name };
    let mut help = String::new();
    escape_help(
        &mut help,
        listed.map_or(family.help(), |listed| listed.help),
        open_metrics,
    );
    let unit = listed.and_then(|listed| listed.unit);
    render::head(out, head_name, &help, kind, unit, open_metrics);

    let mut labels = String::new();
    for metric in family.get_metric() {
        labels.clear();
        for pair in metric.get_label() {
            if !labels.is_empty() {
                labels.push(',');
            }
            labels.push_str(pair.name());
            labels.push_str("=\"");
            escape_label_into(&mut labels, pair.value());
            labels.push('"');
        }
        match kind {
            Kind::Gauge => sample(out, name, "", &labels, metric.get_gauge().get_value()),
            Kind::Counter if open_metrics => {
                sample(
                    out,
                    bare,
                    "_total",
                    &labels,
                    metric.get_counter().get_value(),
                );
            }
            Kind::Counter => sample(out, name, "", &labels, metric.get_counter().get_value()),
            Kind::Histogram => histogram(out, name, &labels, metric),
        }
    }
}

fn histogram(out: &mut Vec<u8>, name: &str, labels: &str, metric: &Metric) {
    let histogram = metric.get_histogram();
    let mut bucket = |bound: f64, count: u64| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"_bucket{");
        out.extend_from_slice(labels.as_bytes());
        if !labels.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"le=\"");
        number::bound(out, bound);
        out.extend_from_slice(b"\"} ");
        number::integer(out, count);
        out.push(b'\n');
    };
    for each in histogram.get_bucket() {
        if each.upper_bound().is_finite() {
            bucket(each.upper_bound(), each.cumulative_count());
        }
    }
    bucket(f64::INFINITY, histogram.get_sample_count());
    sample(out, name, "_sum", labels, histogram.get_sample_sum());
    // Counts stay far below 2^53, where an f64 is exact.
    let count = histogram.get_sample_count() as f64;
    sample(out, name, "_count", labels, count);
}

fn sample(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &str, value: f64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    if !labels.is_empty() {
        out.push(b'{');
        out.extend_from_slice(labels.as_bytes());
        out.push(b'}');
    }
    out.push(b' ');
    number::float(out, value);
    out.push(b'\n');
}

/// Text 0.0.4 escapes `\` and line feed in help, OpenMetrics also `"`.
fn escape_help(out: &mut String, help: &str, open_metrics: bool) {
    for char in help.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if open_metrics => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

/// The families that an answer of `/probe` has beside the connection's.
pub(crate) fn probe_families(success: bool, took: Duration) -> Vec<MetricFamily> {
    [
        ("probe_success", f64::from(u8::from(success))),
        ("probe_duration_seconds", took.as_secs_f64()),
    ]
    .into_iter()
    .map(|(name, value)| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(vec![Metric::from_gauge(gauge)]);
        family
    })
    .collect()
}
