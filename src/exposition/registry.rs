//! Families that the `prometheus` crate gathered, in our formats.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::catalogue::{Family, Kind};
use super::negotiate::Format;
use super::number;
use super::text::{self, sample};

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
    let help = listed.map_or(family.help(), |listed| listed.help);
    let unit = listed.and_then(|listed| listed.unit);
    text::head(out, head_name, help, kind, unit, open_metrics);

    let mut labels = String::new();
    for metric in family.get_metric() {
        labels.clear();
        for pair in metric.get_label() {
            text::put_label(&mut labels, pair.name(), pair.value());
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
