//! Builds a summary from hourly counts: assigns hours to buckets and chooses the names to list.

use std::collections::HashMap;

use super::{EventCounts, HourCounts, NameCount, Sketch, Timestamp};

/// The counts of events, in buckets of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The number of all events.
    pub total: u64,
    /// The approximate number of users that the events were about.
    pub users: u64,
    /// The most frequent names and how often each occurred, the most frequent first.
    pub names: Vec<(String, u64)>,
    /// How many further names there were.
    pub more_names: usize,
    /// The buckets, in the order of time, including empty ones.
    pub buckets: Vec<Bucket>,
}

/// One bucket of a summary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bucket {
    /// Where it begins; it ends where the next one begins.
    pub from: Timestamp,
    /// The number of its events.
    pub count: u64,
    /// The approximate number of users that they were about.
    pub users: u64,
    /// How often each name of [`Summary::names`] occurred, by its index there; names that did not
    /// occur are left out.
    pub names: Vec<(usize, u64)>,
}

/// Builds a summary. Hours must be added in the order of time.
pub struct SummaryBuilder {
    /// The first hour of each bucket.
    first_hours: Vec<u32>,
    buckets: Vec<Bucket>,
    /// The bucket that hours are being added to.
    open: usize,
    open_users: Sketch,
    /// The counts of the open bucket, by the number of the name.
    open_counts: Vec<u64>,
    numbers: HashMap<String, usize>,
    totals: Vec<u64>,
    users: Sketch,
    cells: usize,
}

impl SummaryBuilder {
    /// An empty summary whose buckets begin at these moments.
    pub fn new(begins: &[Timestamp]) -> SummaryBuilder {
        let bucket = |from: &Timestamp| Bucket {
            from: *from,
            ..Bucket::default()
        };
        SummaryBuilder {
            first_hours: begins.iter().map(|it| it.hour_ahead()).collect(),
            buckets: begins.iter().map(bucket).collect(),
            open: 0,
            open_users: Sketch::default(),
            open_counts: Vec::new(),
            numbers: HashMap::new(),
            totals: Vec::new(),
            users: Sketch::default(),
            cells: 0,
        }
    }

    /// How many counts the closed buckets hold, one for each bucket and name that occurred in it.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Adds hours, which must come after all those that were added before.
    pub fn add(&mut self, counted: EventCounts) {
        let numbers: Vec<usize> = counted
            .names
            .into_iter()
            .map(|name| self.number(name))
            .collect();
        for hour in &counted.hours {
            self.add_hour(hour, &numbers);
        }
    }

    fn number(&mut self, name: String) -> usize {
        let next = self.totals.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.totals.push(0);
            self.open_counts.push(0);
        }
        number
    }

    fn add_hour(&mut self, hour: &HourCounts, numbers: &[usize]) {
        let behind = self
            .first_hours
            .partition_point(|first| *first <= hour.hour);
        let Some(bucket) = behind.checked_sub(1) else {
            return;
        };
        if bucket != self.open {
            self.close_bucket();
            self.open = bucket;
        }
        self.open_users.unite(&hour.users);
        for NameCount { name, count } in &hour.counts {
            let number = numbers.get(*name as usize);
            if let Some(slot) = number.and_then(|it| self.open_counts.get_mut(*it)) {
                *slot += count;
            }
        }
    }

    fn close_bucket(&mut self) {
        let Some(bucket) = self.buckets.get_mut(self.open) else {
            return;
        };
        let sums = self.open_counts.iter_mut().zip(&mut self.totals);
        for (number, (count, total)) in sums.enumerate().filter(|(_, (count, _))| **count > 0) {
            bucket.count += *count;
            bucket.names.push((number, *count));
            *total += std::mem::take(count);
        }
        bucket.users = self.open_users.users();
        self.cells += bucket.names.len();
        self.users.unite(&std::mem::take(&mut self.open_users));
    }

    /// The summary; it lists the `most` most frequent names.
    pub fn finish(mut self, most: usize) -> Summary {
        self.close_bucket();
        let counts = self
            .numbers
            .into_iter()
            .filter_map(|(name, number)| Some((number, name, *self.totals.get(number)?)));
        let mut names: Vec<(usize, String, u64)> = counts.filter(|it| it.2 > 0).collect();
        names.sort_unstable_by(|a, b| b.2.cmp(&a.2).then_with(|| a.1.cmp(&b.1)));
        let more_names = names.len().saturating_sub(most);
        names.truncate(most);
        let mut places = vec![None; self.totals.len()];
        for (place, (number, _, _)) in names.iter().enumerate() {
            if let Some(slot) = places.get_mut(*number) {
                *slot = Some(place);
            }
        }
        for bucket in &mut self.buckets {
            let listed = bucket.names.iter().filter_map(|(number, count)| {
                let place = places.get(*number).copied().flatten()?;
                Some((place, *count))
            });
            bucket.names = listed.collect();
            bucket.names.sort_unstable();
        }
        Summary {
            total: self.buckets.iter().map(|bucket| bucket.count).sum(),
            users: self.users.users(),
            names: names
                .into_iter()
                .map(|(_, name, count)| (name, count))
                .collect(),
            more_names,
            buckets: self.buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mark, UserNumber};

    fn hour(hour: u32, counts: &[(u32, u64)], users: std::ops::Range<u32>) -> HourCounts {
        let mut sketch = Sketch::default();
        for user in users {
            sketch.add(Mark::of(UserNumber(user)));
        }
        let counts = counts
            .iter()
            .map(|&(name, count)| NameCount { name, count });
        HourCounts {
            hour,
            counts: counts.collect(),
            users: sketch,
        }
    }

    fn counted(names: &[&str], hours: Vec<HourCounts>) -> EventCounts {
        EventCounts {
            names: names.iter().map(ToString::to_string).collect(),
            hours,
        }
    }

    fn at(hours: i64, millis: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000 + millis)
    }

    #[test]
    fn an_hour_belongs_to_the_bucket_in_which_it_begins() {
        let mut builder = SummaryBuilder::new(&[at(10, 1), at(12, 0), at(13, -1), at(20, 0)]);
        let hours = (9..15).map(|it| hour(it, &[(0, u64::from(it))], 0..1));
        builder.add(counted(&["a"], hours.collect()));
        let summary = builder.finish(9);
        let counts: Vec<u64> = summary.buckets.iter().map(|it| it.count).collect();
        assert_eq!(counts, [11, 12, 13 + 14, 0]);
        assert_eq!((summary.total, summary.users), (50, 1));
    }

    #[test]
    fn the_most_frequent_names_are_listed_and_the_rest_is_counted() {
        let mut builder = SummaryBuilder::new(&[at(1, 0), at(2, 0)]);
        builder.add(counted(&["b", "c"], vec![hour(1, &[(0, 2), (1, 1)], 0..4)]));
        // The same names with other numbers.
        let later = vec![hour(2, &[(0, 1), (1, 2), (2, 1)], 2..6)];
        builder.add(counted(&["c", "a", "b"], later));
        assert_eq!(builder.cells(), 2, "the last bucket is not closed yet");
        let summary = builder.finish(2);
        let names = [("b".to_owned(), 3), ("a".to_owned(), 2)];
        assert_eq!((&summary.names[..], summary.more_names), (&names[..], 1));
        let [first, last] = &summary.buckets[..] else {
            panic!("two buckets");
        };
        assert_eq!((first.count, first.users), (3, 4));
        assert_eq!((last.count, last.users), (4, 4));
        assert_eq!(
            (&first.names[..], &last.names[..]),
            (&[(0, 2)][..], &[(0, 1), (1, 2)][..])
        );
        assert_eq!(summary.users, 6);
    }
}
