//! Counts the events of a report by name in the task of its request, so that the writer thread has
//! little left to do.

/// How often a report used a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameCount {
    pub(crate) name: u32,
    pub(crate) count: u64,
}

/// How often each of these names occurs, in their order.
pub(crate) fn count_by_name(names: &[u32]) -> Vec<NameCount> {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|a, b| a == b);
    let counts = runs.filter_map(|run| {
        run.first().map(|name| NameCount {
            name: *name,
            count: run.len() as u64,
        })
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted_by_name() {
        let count = |name, count| NameCount { name, count };
        assert_eq!(
            count_by_name(&[300, 2, 300, 300, 2]),
            [count(2, 2), count(300, 3)]
        );
        assert_eq!(count_by_name(&[]), []);
    }
}
