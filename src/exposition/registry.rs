//! Families that the `prometheus` crate gathered, in our formats.

use prometheus::proto::{Metric, MetricFamily};

use super::catalogue::{Family, Kind, Value};
use super::lines::Lines;
use super::number;
use super::text::put_label;

/// Appends the samples of `family`, which are those of `gathered`.
pub(super) fn write(
    out: &mut Vec<u8>,
    lines: &mut Lines,
    family: &Family,
    gathered: &MetricFamily,
) {
    let mut labels = String::new();
    for metric in gathered.get_metric() {
        labels.clear();
        for pair in metric.get_label() {
            put_label(&mut labels, pair.name(), pair.value());
        }
        let value = match family.kind {
            Kind::Gauge => metric.get_gauge().get_value(),
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Histogram => {
                lines.begin(out);
                histogram(out, family.name, &labels, metric);
                continue;
            }
        };
        lines.sample(out, &labels, "", Value::Float(value));
    }
}

fn histogram(out: &mut Vec<u8>, name: &str, labels: &str, metric: &Metric) {
    let histogram = metric.get_histogram();
    let comma = if labels.is_empty() { "" } else { "," };
    let mut line = |suffix: &str, bound: Option<f64>, value: Value| {
        for part in [name, suffix, "{", labels] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(bound) = bound {
            out.extend_from_slice(comma.as_bytes());
            out.extend_from_slice(b"le=\"");
            number::bound(out, bound);
            out.push(b'"');
        }
        out.extend_from_slice(b"} ");
        number::value(out, value);
        out.push(b'\n');
    };
    for bucket in histogram.get_bucket() {
        let bound = Some(bucket.upper_bound()).filter(|bound| bound.is_finite());
        if bound.is_some() {
            let count = Value::Integer(bucket.cumulative_count());
            line("_bucket", bound, count);
        }
    }
    let count = Value::Integer(histogram.get_sample_count());
    line("_bucket", Some(f64::INFINITY), count);
    line("_sum", None, Value::Float(histogram.get_sample_sum()));
    line("_count", None, count);
}
