//! Writes metrics family by family.

use std::borrow::Cow;
use std::fmt::Result;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::metrics::{BOUNDS_MICROS, HistogramReading};

/// A name and a value.
pub(super) type Label = (&'static str, Cow<'static, str>);
/// The labels of one sample.
pub(super) type Labels = Vec<Label>;

/// No labels.
pub(super) const NONE: Labels = Vec::new();

/// One label.
pub(super) fn label(name: &'static str, value: &'static str) -> Labels {
    vec![(name, value.into())]
}

/// Writes families of metrics. Names are without the endings of their unit and their type.
pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

/// A metric: its name, its unit if it has one, and its meaning.
pub(super) struct Family(
    pub(super) &'static str,
    pub(super) Option<Unit>,
    pub(super) &'static str,
);

impl Families<'_> {
    /// Writes numbers that only grow.
    pub(super) fn counter<T: EncodeCounterValue>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels, T)>,
    ) -> Result {
        self.family(family, MetricType::Counter, samples, |mut metric, value| {
            metric.encode_counter::<NoLabelSet, T, u64>(value, None)
        })
    }

    /// Writes numbers that grow and shrink.
    pub(super) fn gauge<T: EncodeGaugeValue>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels, T)>,
    ) -> Result {
        self.family(family, MetricType::Gauge, samples, |mut metric, value| {
            metric.encode_gauge(value)
        })
    }

    /// Writes durations; the unit of the family must be seconds.
    pub(super) fn histogram(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels, HistogramReading)>,
    ) -> Result {
        #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
        let bounds = BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6);
        let bounds: Vec<f64> = bounds.chain([f64::INFINITY]).collect();
        self.family(
            family,
            MetricType::Histogram,
            samples,
            |mut metric, reading: &HistogramReading| {
                let buckets = bounds.iter().copied().zip(reading.buckets);
                let buckets: Vec<(f64, u64)> = buckets.collect();
                let sum = reading.sum.as_secs_f64();
                metric.encode_histogram::<NoLabelSet>(sum, reading.count(), &buckets, None)
            },
        )
    }

    /// Writes a metric that is always one: its labels say something.
    pub(super) fn info(&mut self, family: &Family, labels: &Labels) -> Result {
        let Family(name, unit, help) = family;
        let mut metric = self
            .0
            .encode_descriptor(name, help, unit.as_ref(), MetricType::Info)?;
        metric.encode_info(labels)
    }

    fn family<T>(
        &mut self,
        Family(name, unit, help): &Family,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels, T)>,
        encode: impl Fn(MetricEncoder<'_>, &T) -> Result,
    ) -> Result {
        let mut metric = self.0.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, value) in samples {
            encode(metric.encode_family(&labels)?, &value)?;
        }
        Ok(())
    }
}
