//! Metrics of the `prometheus` crate.

use std::collections::BTreeMap;

use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

/// Gauges by name, made when they are first set.
#[derive(Default)]
pub(super) struct Gauges {
    pub(super) registry: Registry,
    by_name: BTreeMap<String, GaugeVec>,
    events: Option<IntCounterVec>,
}

impl Gauges {
    pub(super) fn set(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let registry = &self.registry;
        let gauge = self.by_name.entry(name.to_owned()).or_insert_with(|| {
            let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
            let gauge = GaugeVec::new(Opts::new(name, "Help."), &names).unwrap();
            registry.register(Box::new(gauge.clone())).unwrap();
            gauge
        });
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        gauge.with_label_values(&values).set(value);
    }

    /// The one counter of a connection.
    pub(super) fn events(&mut self, labels: &[(&str, &str)], count: u64) {
        let registry = &self.registry;
        let counter = self.events.get_or_insert_with(|| {
            let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
            let opts = Opts::new("kernel_auth_connection_events_total", "Help.");
            let counter = IntCounterVec::new(opts, &names).unwrap();
            registry.register(Box::new(counter.clone())).unwrap();
            counter
        });
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        counter.with_label_values(&values).inc_by(count);
    }

    pub(super) fn maybe(&mut self, name: &str, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.set(name, labels, value);
        }
    }
}
