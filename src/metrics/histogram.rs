//! A histogram of durations, with the same buckets everywhere.

use std::time::Duration;

use super::Counter;

/// The upper bounds of the buckets, in microseconds; the last bucket has none. They reach from the
/// check of a token to `limits.request_timeout`.
pub const BOUNDS_MICROS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// How many buckets there are.
const BUCKETS: usize = BOUNDS_MICROS.len() + 1;

/// Durations since the process started, sorted into buckets. Any thread may add to it.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    micros: Counter,
}

/// What a histogram contains at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramReading {
    /// How many durations each bucket has; the last one is for those over all bounds.
    pub buckets: [u64; BUCKETS],
    /// All durations together.
    pub sum: Duration,
}

impl Histogram {
    /// Adds a duration.
    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.increment();
        }
        self.micros.add(micros);
    }

    /// What it contains now. Durations that are just being added may be missing in part.
    pub fn read(&self) -> HistogramReading {
        HistogramReading {
            buckets: self.buckets.each_ref().map(Counter::get),
            sum: Duration::from_micros(self.micros.get()),
        }
    }
}

impl HistogramReading {
    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The mean; zero without durations.
    pub fn mean(&self) -> Duration {
        let micros = u64::try_from(self.sum.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros.checked_div(self.count()).unwrap_or(0))
    }

    /// A duration that at least this share of all, in thousandths, do not exceed: the upper bound
    /// of their bucket. None without durations, and if the share reaches over all bounds.
    pub fn quantile(&self, thousandths: u64) -> Option<Duration> {
        let wanted = self.count().saturating_mul(thousandths).div_ceil(1_000);
        let mut seen = 0;
        let bounds = BOUNDS_MICROS.iter().zip(self.buckets);
        let found = bounds.into_iter().find(|(_, count)| {
            seen += count;
            seen >= wanted && seen > 0
        });
        found.map(|(bound, _)| Duration::from_micros(*bound))
    }

    /// Adds what another one contains.
    pub fn merge(&mut self, other: &HistogramReading) {
        for (mine, other) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += other;
        }
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::default();
        for took in [
            Duration::ZERO,
            MS,
            MS + Duration::from_micros(1),
            20_000 * MS,
        ] {
            histogram.record(took);
        }
        let read = histogram.read();
        let filled: Vec<usize> = (0..BUCKETS).filter(|at| read.buckets[*at] == 1).collect();
        assert_eq!(filled, [0, 3, 4, BUCKETS - 1]);
        assert_eq!((read.count(), read.sum.as_micros()), (4, 20_002_001));
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().quantile(500), None);
        assert_eq!(histogram.read().mean(), Duration::ZERO);
        for _ in 0..99 {
            histogram.record(2 * MS);
        }
        histogram.record(40 * MS);
        let mut read = histogram.read();
        assert_eq!(read.quantile(500), Some(Duration::from_micros(2_500)));
        assert_eq!(read.quantile(990), Some(Duration::from_micros(2_500)));
        assert_eq!(read.quantile(991), Some(50 * MS));
        assert_eq!(read.mean(), Duration::from_micros(2_380));
        histogram.record(60_000 * MS);
        read.merge(&histogram.read());
        assert_eq!((read.count(), read.quantile(1_000)), (201, None));
    }
}
